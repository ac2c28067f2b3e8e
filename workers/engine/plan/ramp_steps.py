"""The end of a step of a batch's ramp: it is looked at, and the next step begins or is held back.

Under the batch's lock, in one transaction with whatever is planned then, so it is done once however
many slices end at the same time; and by whoever moves the batch on next, should a worker die here.
"""

from __future__ import annotations

import structlog
from sqlalchemy import Connection

from app.batches.ramp import APPROVE, ramp_of
from app.batches.telling import tell_of_pause
from app.db import after_commit
from app.db.statements.batches import BatchRow
from app.db.statements.pauses import PAUSE_BY_RAMP
from app.db.statements.ramps import (
    BEGIN_STEP_OF_BATCH,
    COUNT_FAILURES_OF_STEP,
    FIND_ITEM_BEHIND_STEP,
)
from app.events.listeners import listener

log = structlog.get_logger(__name__)


def end_step(connection: Connection, batch: BatchRow) -> bool:
    """See what came of the step of `batch`, which is over; whether the batch goes on.

    It does with the next step, or without any where nothing is left behind this one. Else it is
    PAUSED.
    """
    assert batch.ramp is not None and batch.ramp_end is not None  # noqa: S101, PT018 (it is ramped)
    ramp = ramp_of(batch.ramp)
    step = ramp.step_that_ends(batch.ramp_end)
    this = {"batch_id": batch.id}
    behind = connection.execute(FIND_ITEM_BEHIND_STEP, {**this, "end": step.end}).scalar()
    if behind is None:
        connection.execute(BEGIN_STEP_OF_BATCH, {**this, "end": None})
        return True
    where = {**this, "first": step.first, "end": step.end}
    failures = int(connection.execute(COUNT_FAILURES_OF_STEP, where).scalar_one())
    reason = ramp.reason_to_hold(step, failures)
    if reason is None and ramp.hold != APPROVE:
        connection.execute(BEGIN_STEP_OF_BATCH, {**this, "end": step.following})
        return True
    held = {**this, "end": step.following, "reason": reason}
    at = connection.execute(PAUSE_BY_RAMP, held).scalar_one()
    tell_of_pause(connection, batch, at)
    after_commit(connection, lambda: listener().progressed(batch.id))
    log.info("batch.held", batch=str(batch.id), items=step.end, failures=failures, reason=reason)
    return False
