"""Batches that wait for a breaker join the line once it lets items begin, and are sent for."""

from __future__ import annotations

from app.batches.breakers.waking import MOST_SENT
from app.batches.breakers.waking import wake as wake_batches
from app.db import transaction
from workers.engine.runtime import Runtime


def wake(runtime: Runtime) -> int:
    """Wake those that wait for a breaker that is closed by now; how many."""
    with transaction(runtime.engine) as connection:
        woken = wake_batches(connection)
    for batch in woken[:MOST_SENT]:
        runtime.send_turn(batch.id, batch.queue)
    return len(woken)
