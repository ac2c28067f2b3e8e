"""What a batch waits for that its row does not say: a worker that has its operation."""

from __future__ import annotations

from dataclasses import replace

from app.batches.batch_view import BatchView
from app.core.lifecycle import PENDING, RUNNING
from app.operations.known import KnownOperations

WORKER = "worker"


def as_it_waits(batch: BatchView, known: KnownOperations) -> BatchView:
    """`batch`, which waits for a worker where no live one takes up what is left of it.

    That comes behind what people decide (`approval`, `ramp`, `schedule`), by which nothing of it is
    to run; and before `breaker` and `retry`, since nothing is tried without a worker, however soon
    it could be. Where items name their operations it waits so once all that is left is of such
    operations. Asks no database for the batch.
    """
    if batch.status not in (PENDING, RUNNING) or batch.stopping:
        return batch
    if batch.summary.ended >= batch.summary.total:
        return batch
    waits = known.nobody_takes(_operations_left(batch))
    return replace(batch, waiting_for=WORKER) if waits else batch


def _operations_left(batch: BatchView) -> list[str] | None:
    """Those that what is left is of, where that is known."""
    if not batch.mixed and batch.operation is not None:
        return [batch.operation]
    left = batch.left_in_slices or [None]
    return None if None in left else [operation for operation in left if operation is not None]
