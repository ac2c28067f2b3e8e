"""Items that wait for other items of their batch, and when they have waited in vain.

A deferred item is due again at once. `stalled` on the batch counts the items tried since the last
one that ended. When every deferred item has been tried in vain since, then either something else
of the batch is still waiting for its time, and they wait for that, or they wait for nothing.
"""

from __future__ import annotations

from sqlalchemy import Connection

from app.batches.failures.grouping import group_items
from app.db import after_commit
from app.db.statements.batch_progress import END_STALL_OF_BATCH
from app.db.statements.batches import BatchRow
from app.db.statements.item_planning import (
    FAIL_DEFERRED_ITEMS,
    LOOK_AT_WAITING_ITEMS,
    PUT_OFF_DEFERRED_ITEMS,
    WaitingItems,
)
from app.db.statements.rows import row_of
from app.events.listeners import SliceFolded, listener
from workers.engine.retries.attempts import NOT_COUNTED
from workers.engine.retries.policy import RetryLater


def deferred(index: int, code: int, message: str) -> RetryLater:
    """What is written of an item that raised `Defer`: due again at once, and nothing counted."""
    return RetryLater(index, 0.0, code, message, NOT_COUNTED)


def release_stuck(connection: Connection, batch: BatchRow) -> int:
    """Fail the deferred items of `batch` (its locked row) if nothing can bring them forward.

    They keep the message and code they were deferred with. How many failed.
    """
    if not batch.stalled or batch.next_index < batch.total:
        return 0
    this = {"batch_id": batch.id}
    found = row_of(WaitingItems, connection.execute(LOOK_AT_WAITING_ITEMS, this))
    assert found is not None  # noqa: S101 (an aggregate is always a row)
    if found.deferred == 0 or found.something_due or batch.stalled < found.deferred:
        return 0
    failed = 0
    if found.something_later is not None:
        connection.execute(PUT_OFF_DEFERRED_ITEMS, {**this, "until": found.something_later})
    else:
        failed = connection.execute(FAIL_DEFERRED_ITEMS, this).rowcount
        group_items(connection, batch.id)
        news = SliceFolded(batch.operation, batch.phase, 0, 0, failed, 0, 0.0)
        after_commit(connection, lambda: listener().folded(batch.id, [news]))
    connection.execute(END_STALL_OF_BATCH, {**this, "failed": failed})
    return failed
