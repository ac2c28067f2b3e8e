"""How breakers stand, as they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from app.core.jsontext import moment
from app.core.lifecycle import BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING
from app.db.statements.breakers import LIST_BREAKERS, BreakerRow
from app.db.statements.rows import rows_of

_WORST = (BREAKER_OPEN, BREAKER_PROBING)


class Breakers:
    """All there are at a moment, by operation. One statement, over some dozens of rows."""

    def __init__(self, connection: Connection) -> None:
        self.rows: dict[str, list[BreakerRow]] = {}
        for row in rows_of(BreakerRow, connection.execute(LIST_BREAKERS)):
            self.rows.setdefault(row.operation, []).append(row)

    def body(self, operation: str, description: Mapping[str, Any]) -> dict[str, Any]:
        """What is shown of the operation's: the worst, and each."""
        rows = {row.base: row for row in self.rows.get(operation, [])}
        statuses = {row.status for row in rows.values()}
        worst = next((status for status in _WORST if status in statuses), BREAKER_CLOSED)
        shown = sorted({*bases_of(description), *rows})
        return {
            "breaker": worst,
            "breakers": [_body(base, rows.get(base)) for base in shown],
            "breakerLimits": description.get("breaker"),
        }

    def openness(
        self, known: Iterable[tuple[str, Mapping[str, Any]]]
    ) -> dict[tuple[str, str], bool]:
        """By operation and base, whether items are kept: of those that there are, or may be."""
        found = {(name, base): False for name, said in known for base in bases_of(said)}
        for name, rows in self.rows.items():
            found |= {(name, row.base): row.status != BREAKER_CLOSED for row in rows}
        return found


def bases_of(description: Mapping[str, Any]) -> list[str]:
    """For what an operation has breakers, as it is described: empty text for all of it."""
    if not description.get("breaker"):
        return []
    return list(description.get("bases") or [""])


def _body(base: str, row: BreakerRow | None) -> dict[str, Any]:
    return {
        "base": base or None,
        "state": BREAKER_CLOSED if row is None else row.status,
        "byHand": row is not None and row.by_hand,
        "changedAt": None if row is None else moment(row.changed_at),
        "pacedUntil": _still(row),
    }


def _still(row: BreakerRow | None) -> str | None:
    """Until when it is paced, where that is not over. Clocks differ; this is for people."""
    if row is None or row.paced_until is None or row.paced_until <= datetime.now(UTC):
        return None
    return moment(row.paced_until)
