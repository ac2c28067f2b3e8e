"""Which queues no live worker takes from, though an operation needs them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from app.core.settings import Settings
from app.db.statements.workers import LIST_TAKEN_QUEUES
from app.operations.known import PATIENCE, list_operations
from handlers import Operation

# Of an operation that says none.
_USUAL_QUEUE = "fast"


def queues_without_worker(
    connection: Connection, own: Iterable[Operation], settings: Settings
) -> list[str]:
    """Their names. `own`: the operations that the process has itself."""
    known = list_operations(connection, stale=settings.heartbeat_timeout)
    taken = set(
        connection.execute(
            LIST_TAKEN_QUEUES,
            {"stale": settings.heartbeat_timeout, "patience": settings.starving_seconds},
        ).scalars()
    )
    needed = {operation.queue for operation in own}
    # What only workers have is needed for as long as its items wait for it.
    for one in known:
        lately = one.seconds_without is not None and one.seconds_without < PATIENCE
        if lately and one.description is not None:
            needed.add(one.description.get("queue", _USUAL_QUEUE))
    return sorted(needed - taken)
