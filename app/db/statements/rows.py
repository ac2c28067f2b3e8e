"""Rows with types: a dataclass whose fields are the columns, in their order.

A statement makes its list of columns of the type (`columns`), and the rows are read by it. That
the names agree is checked once a result, so a row costs no more than the making of its object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import CursorResult

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R")


def columns(kind: type[DataclassInstance], table: str | None = None) -> str:
    """The columns of a row of that kind, as a list in SQL. `table`: its alias."""
    prefix = "" if table is None else f"{table}."
    return ", ".join(f"{prefix}{field.name}" for field in fields(kind))


def rows_of(kind: Callable[..., R], result: CursorResult[Any]) -> list[R]:
    """All rows of the result. Raises TypeError where its columns are others."""
    _check(kind, result)
    return [kind(*row) for row in result]


def row_of(kind: Callable[..., R], result: CursorResult[Any]) -> R | None:
    """The only row of the result, None where there is none. Raises TypeError as `rows_of`."""
    _check(kind, result)
    row = result.one_or_none()
    return None if row is None else kind(*row)


def _check(kind: Any, result: CursorResult[Any]) -> None:
    if list(result.keys()) != [field.name for field in fields(kind)]:
        raise TypeError(f"a {kind.__name__} is read of columns {tuple(result.keys())}")
