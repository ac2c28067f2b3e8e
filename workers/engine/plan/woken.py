"""Batches that wait for a breaker join the line: once it lets items begin, or is due for a try."""

from __future__ import annotations

from app.db import transaction
from app.db.statements.rows import rows_of
from app.db.statements.sessions import LIMIT_WAIT_FOR_LOCKS
from app.db.statements.turns import WaitingBatch
from app.db.statements.waiting_for_breakers import WAKE_HELD_BATCHES
from workers.engine.runtime import Runtime

# Messages for those that are woken at once, at most; the others' come with the sweep.
_MOST_SENT = 8


def wake(runtime: Runtime) -> int:
    """Wake those that wait for a breaker that is closed by now; how many."""
    with transaction(runtime.engine) as connection:
        connection.execute(LIMIT_WAIT_FOR_LOCKS)
        woken = rows_of(WaitingBatch, connection.execute(WAKE_HELD_BATCHES))
    for batch in woken[:_MOST_SENT]:
        runtime.send_turn(batch.id, batch.queue)
    return len(woken)
