"""The select list of a statement whose columns are declared elsewhere."""

from __future__ import annotations

from collections.abc import Mapping


def select_list(columns: Mapping[str, str]) -> str:
    """`columns`: SQL expressions by the names that they get."""
    return ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
