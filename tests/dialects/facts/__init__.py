"""What the tests know of each dialect, a module a dialect, by the name that the dialect has."""

from __future__ import annotations

from importlib import import_module

from app.dialects import DIALECTS
from tests.dialects.facts.kinds import Facts

FACTS: dict[str, Facts] = {
    dialect.name: import_module(f"tests.dialects.facts.{dialect.name}").FACTS
    for dialect in DIALECTS
}
