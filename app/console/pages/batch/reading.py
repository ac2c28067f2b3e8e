"""What the page shows of a batch, read at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from app.audit.reading import LOOK
from app.batches.batch_view import BATCH_COLUMNS, BatchView, batch_view
from app.clients.credentials import Caller
from app.core.errors import NotFound
from app.db.statements.batch_pages import (
    ACTIONS,
    CLIENT_NAME,
    DELIVERIES,
    FAILURES,
    Action,
    Delivery,
    FailureCount,
    actions_of,
    deliveries_of,
    earliest_delivery,
    failures_of,
    select_batch_beside,
)

MOST_FAILURES = 50
MOST_ENTRIES = 20
_DELIVERIES_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """A batch and what stands beside it, which is kept as it came: JSON text, or None for nothing.

    So it tells one state of the page from another without being read. `client`: what its client is
    called, None where it is the one who looks.
    """

    batch: BatchView
    client: str | None
    failures: str | None
    actions: str | None
    deliveries: str | None

    def beside(self) -> tuple[Sequence[FailureCount], Sequence[Action], Sequence[Delivery]]:
        """Its failures, what was done with it, and who was told; read anew at each call."""
        return (
            failures_of(self.failures),
            actions_of(self.actions),
            deliveries_of(self.deliveries),
        )


def find_shown(connection: Connection, who: Caller, batch_id: UUID) -> Shown:
    """The batch as `who` may see it: an admin anybody's, others their own. Raises NotFound.

    One statement; a second where items with repeated keys have to be counted.
    """
    asked = {
        "batch_id": batch_id,
        "client_id": who.client_id,
        "failures": MOST_FAILURES,
        "actions": MOST_ENTRIES,
        "deliveries": MOST_ENTRIES,
        "look_at_actions": LOOK,
        "look_at_deliveries": _DELIVERIES_LOOKED_AT,
        "earliest_delivery": earliest_delivery(batch_id),
    }
    for plain in (True, False):
        statement = select_batch_beside(BATCH_COLUMNS, of_client=not who.is_admin, plain=plain)
        row = connection.execute(statement, asked).mappings().one_or_none()
        if row is not None:
            return Shown(
                batch_view(row),
                row.get(CLIENT_NAME),
                row[FAILURES],
                row[ACTIONS],
                row[DELIVERIES],
            )
    raise NotFound(f"There is no batch {batch_id}.")
