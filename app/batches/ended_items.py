"""How many items ended when: kept for 30 days, by minute and operation."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from app.db.statements.item_history import (
    CONDENSE_ITEM_HISTORY,
    DELETE_OLD_ITEM_HISTORY,
    sum_item_history,
)

KEPT_DAYS = 30
AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Ended:
    """Items that ended within a stretch of time. `failed`: FAILED or INVALID."""

    completed: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.completed + self.failed


def ended_lately(
    connection: Connection, client_id: UUID | None, *, minutes: int, step: int
) -> list[Ended]:
    """What ended in each stretch of `step` minutes of the last `minutes`, the oldest first.

    `client_id`: None for all clients'. The last stretch goes on.
    """
    given = {} if client_id is None else {"client_id": client_id}
    rows = connection.execute(
        sum_item_history(of_client=client_id is not None),
        {**given, "minutes": minutes, "step": step},
    )
    found = [Ended()] * (minutes // step)
    for row in rows:
        if 0 <= row.ago < len(found):
            found[-1 - row.ago] = Ended(int(row.completed), int(row.failed) + int(row.invalid))
    return found


def condense(connection: Connection, at_once: int = AT_ONCE) -> int:
    """Make one row of those of a minute that is over, and forget what is old; rows that went."""
    connection.execute(CONDENSE_ITEM_HISTORY, {"at_once": at_once})
    gone = connection.execute(DELETE_OLD_ITEM_HISTORY, {"days": KEPT_DAYS, "at_once": at_once})
    return int(gone.rowcount)
