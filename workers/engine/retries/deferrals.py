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


def wait_in_vain(connection: Connection, batch: BatchRow) -> bool:
    """Whether the deferred items of `batch` (its locked row) wait for nothing that may run now.

    That is of its step only, where it has a ramp. If something of it waits for its time they are
    put off until then.
    """
    if not batch.stalled or batch.next_index < batch.end:
        return False
    this = {"batch_id": batch.id}
    looked = connection.execute(LOOK_AT_WAITING_ITEMS, {**this, "end": batch.end})
    found = row_of(WaitingItems, looked)
    assert found is not None  # noqa: S101 (an aggregate is always a row)
    if found.deferred == 0 or found.something_due or batch.stalled < found.deferred:
        return False
    if found.something_later is None:
        return True
    connection.execute(PUT_OFF_DEFERRED_ITEMS, {**this, "until": found.something_later})
    connection.execute(END_STALL_OF_BATCH, {**this, "failed": 0})
    return False


def fail_deferred(connection: Connection, batch: BatchRow) -> None:
    """The deferred items of `batch` (its locked row) wait for nothing: they have failed.

    They keep the message and code they were deferred with.
    """
    this = {"batch_id": batch.id}
    failed = connection.execute(FAIL_DEFERRED_ITEMS, this).rowcount
    group_items(connection, batch.id)
    news = SliceFolded(batch.operation, batch.phase, 0, 0, failed, 0, 0.0)
    after_commit(connection, lambda: listener().folded(batch.id, [news]))
    connection.execute(END_STALL_OF_BATCH, {**this, "failed": failed})
