"""How a batch ends: once, with a summary that is its items'."""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy import Connection

from app.batches.telling import tell_webhooks
from app.core.lifecycle import STOPPED_BY_CALLER, settled_status
from app.db import after_commit
from app.db.statements.batch_progress import (
    GET_COUNTS_OF_BATCH,
    SETTLE_BATCH,
    SETTLE_WHOLE_BATCH,
    CountedBatch,
    SettledBatch,
)
from app.db.statements.items import COUNT_ITEMS, ItemCounts
from app.db.statements.rows import row_of
from app.events.listeners import BatchEnded, SliceFolded, listener
from app.webhooks.recording import BATCH_FINISHED

log = structlog.get_logger(__name__)


def settle(connection: Connection, batch_id: UUID) -> str | None:
    """End the batch, whose row the caller has locked, if its items have all ended; its status.

    None, and nothing done, if an item has not; the caller has to deal with that.

    The batch's own counts are taken where they add up, whatever its size: each was added in the
    transaction that ended the items. Where they do not the items themselves are counted.
    """
    this = {"batch_id": batch_id}
    batch = row_of(CountedBatch, connection.execute(GET_COUNTS_OF_BATCH, this))
    assert batch is not None  # noqa: S101 (the caller has locked it)
    counts: CountedBatch | ItemCounts = batch
    if batch.completed + batch.failed + batch.invalid + batch.canceled != batch.total:
        counted = row_of(ItemCounts, connection.execute(COUNT_ITEMS, this))
        assert counted is not None  # noqa: S101 (an aggregate is always a row)
        if counted.pending:
            return None
        log.warning("batch.counted_again", batch=str(batch_id))
        counts = counted
    status = settled_status(
        total=counts.total,
        completed=counts.completed,
        canceled=counts.canceled,
        canceled_by_caller=batch.stopping in STOPPED_BY_CALLER,
    )
    values = {
        **this,
        "status": status,
        "total": counts.total,
        "completed": counts.completed,
        "failed": counts.failed,
        "invalid": counts.invalid,
        "canceled": counts.canceled,
    }
    ended = row_of(SettledBatch, connection.execute(SETTLE_BATCH, values))
    assert ended is not None  # noqa: S101 (the caller has locked one that had not ended)
    webhooks = tell_webhooks(connection, ended.client_id, batch_id, BATCH_FINISHED)
    end = BatchEnded(batch_id, status, ended.operation, ended.seconds, tuple(webhooks))
    after_commit(connection, lambda: listener().ended(end))
    log.info("batch.settled", batch=str(batch_id), status=status, total=counts.total)
    return status


def settle_whole(
    connection: Connection, batch_id: UUID, wave: int, number: int, claim: UUID, news: SliceFolded
) -> bool:
    """End the batch with the slice that was all of it, as `news` says: in the same transaction.

    False, and nothing done, where the batch is being stopped or the claim is gone.
    """
    status = settled_status(total=news.size, completed=news.completed, canceled_by_caller=False)
    row = connection.execute(
        SETTLE_WHOLE_BATCH,
        {
            "batch_id": batch_id,
            "wave": wave,
            "number": number,
            "claim": claim,
            "status": status,
            "completed": news.completed,
            "failed": news.failed,
            "invalid": news.invalid,
        },
    )
    ended = row_of(SettledBatch, row)
    if ended is None:
        return False
    webhooks = tell_webhooks(connection, ended.client_id, batch_id, BATCH_FINISHED)
    end = BatchEnded(batch_id, status, ended.operation, ended.seconds, tuple(webhooks))
    after_commit(connection, lambda: listener().ended_with(end, news))
    log.info("batch.settled", batch=str(batch_id), status=status, total=news.size)
    return True
