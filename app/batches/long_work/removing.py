"""A step of reset or delete: items of an ended batch are removed, the last first.

Until all are gone the batch stays as it ended, with the counts that it ended with.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from app.batches.long_work.work import Work, tell
from app.batches.phase import phase_anew
from app.db.statements.batches import DELETE_BATCH, RESET_BATCH, BatchRow
from app.db.statements.failures import DROP_FAILURES
from app.db.statements.long_work import DELETE_ITEMS


def reset_step(connection: Connection, batch: BatchRow, work: Work, most: int) -> Work | None:
    """Remove the next `most` items; with the last ones gone, the batch is as when it was made."""
    left = _remove(connection, batch, work, most)
    if left is not None:
        return left
    connection.execute(DROP_FAILURES, {"batch_id": batch.id})
    connection.execute(RESET_BATCH, {"batch_id": batch.id, "phase": phase_anew(batch)})
    tell(connection, batch.id)
    return None


def delete_step(connection: Connection, batch: BatchRow, work: Work, most: int) -> Work | None:
    """Remove the next `most` items; with the last ones the batch goes, too."""
    left = _remove(connection, batch, work, most)
    if left is not None:
        return left
    connection.execute(DELETE_BATCH, {"batch_id": batch.id})
    tell(connection, batch.id)
    return None


def _remove(connection: Connection, batch: BatchRow, work: Work, most: int) -> Work | None:
    first = max(0, work.index - most)
    removed = connection.execute(
        DELETE_ITEMS, {"batch_id": batch.id, "first": first, "end": work.index}
    ).rowcount
    return None if first == 0 else replace(work, index=first, done=work.done + removed)
