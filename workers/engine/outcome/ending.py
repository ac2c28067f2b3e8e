"""The end of a slice, in the transaction that writes its outcomes: the fence, and what follows it.

A slice that is all of its batch ends that too, if everything in it has ended. Nothing needs to be
counted then: the batch's counts are the slice's.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from sqlalchemy import Connection, TextClause
from sqlalchemy.exc import SQLAlchemyError

from app.batches.settling import settle_whole
from app.batches.stop import request_stop, tally_so_far
from app.core.errors import BatchlineError
from app.db import after_commit, transaction
from app.db.statements.turns import JOIN_LINE_AFTER_SLICE
from app.db.statements.waiting_for_breakers import NOTE_HELD_ITEMS
from app.events.listeners import SliceFolded, listener
from workers.engine.claim.claims import ClaimedSlice, add_counts
from workers.engine.outcome.outcomes import Outcomes
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)


def end_slice(
    runtime: Runtime, connection: Connection, claimed: ClaimedSlice, outcomes: Outcomes
) -> bool:
    """End the slice, whose last `outcomes` have been written; whether its batch ends with it.

    Raises LostClaim.
    """
    if claimed.whole and _all_ended(claimed, outcomes):
        seconds = time.monotonic() - claimed.began
        if _settle(connection, claimed, outcomes, seconds):
            if claimed.operation and claimed.calls_handlers:
                operation, tried = claimed.operation, claimed.size - outcomes.invalid
                after_commit(
                    connection,
                    lambda: _learn(runtime, operation, tried, seconds),
                )
            return True
    keep_counts(runtime, connection, claimed, outcomes, done=True)
    if not outcomes.held and (
        outcomes.retry_later or outcomes.left or outcomes.waiting or _bounded(claimed)
    ):
        # Other slices of the batch may go on for long, and these items need not wait for them.
        after_commit(connection, lambda: _join_line(runtime, claimed))
    return False


def _join_line(runtime: Runtime, claimed: ClaimedSlice) -> None:
    _change_batch(runtime, claimed, JOIN_LINE_AFTER_SLICE)


def _note_held(runtime: Runtime, claimed: ClaimedSlice, breakers: list[int]) -> None:
    _change_batch(runtime, claimed, NOTE_HELD_ITEMS, breakers=breakers)


def _change_batch(
    runtime: Runtime, claimed: ClaimedSlice, statement: TextClause, **values: Any
) -> None:
    """Not in the slice's transaction, which has its row locked.

    Whoever has the batch locked may be waiting for that, as `cancel` does for what is READY.
    """
    try:
        with transaction(runtime.engine) as connection:
            connection.execute(statement, {"batch_id": claimed.batch_id, **values})
    except (SQLAlchemyError, BatchlineError) as error:
        # The sweep sees it too.
        log.warning("line.not_joined", batch=str(claimed.batch_id), error=str(error))


def _bounded(claimed: ClaimedSlice) -> bool:
    """Whether only so many of its batch's may be under way, of which this was one."""
    return bool(claimed.limited or claimed.passes)


def keep_counts(
    runtime: Runtime,
    connection: Connection,
    claimed: ClaimedSlice,
    outcomes: Outcomes,
    *,
    done: bool,
) -> None:
    """Pass the fence, in the transaction that has written `outcomes`. Raises LostClaim."""
    add_counts(
        connection,
        claimed,
        completed=len(outcomes.succeeded),
        failed=outcomes.failed,
        invalid=outcomes.invalid,
        left=len(outcomes.left) + len(outcomes.held),
        done=done,
    )
    if outcomes.held:
        # Before the outcomes are forgotten.
        breakers = sorted({breaker for _, breaker in outcomes.held})
        after_commit(connection, lambda: _note_held(runtime, claimed, breakers))
    reason = _too_many(connection, claimed, outcomes)
    if reason is not None:
        after_commit(connection, lambda: _stop(runtime, claimed, reason))
    if outcomes.succeeded or outcomes.failures or outcomes.retry_later:
        retried = sum(late.attempts for late in outcomes.retry_later)
        after_commit(
            connection,
            lambda: listener().outcomes_written(
                claimed.batch_id, claimed.operation, retried=retried
            ),
        )


def _all_ended(claimed: ClaimedSlice, outcomes: Outcomes) -> bool:
    # A batch that may be stopped for its failures is looked at by `advance`.
    ended = len(outcomes.succeeded) + len(outcomes.failures)
    return ended == claimed.size and claimed.guards is None


def _settle(
    connection: Connection, claimed: ClaimedSlice, outcomes: Outcomes, seconds: float
) -> bool:
    return settle_whole(
        connection,
        claimed.batch_id,
        claimed.wave,
        claimed.number,
        claimed.claim,
        SliceFolded(
            operation=claimed.operation,
            phase=claimed.phase,
            size=claimed.size,
            completed=len(outcomes.succeeded),
            failed=outcomes.failed,
            invalid=outcomes.invalid,
            seconds=seconds,
        ),
    )


def _learn(runtime: Runtime, operation: str, tried: int, seconds: float) -> None:
    runtime.costs.note(operation, items=tried, seconds=seconds)
    runtime.costs.write(runtime.engine)


def _too_many(connection: Connection, claimed: ClaimedSlice, outcomes: Outcomes) -> str | None:
    """Why the batch is to be stopped, with what this slice has just written; None if it is not."""
    guards = claimed.guards
    if guards is None or claimed.phase == "validate":
        return None
    # What succeeds can bring a batch to as many processed items as a share is looked at from.
    if not outcomes.failures and (guards.max_failure_percent is None or not outcomes.succeeded):
        return None
    return guards.passed(tally_so_far(connection, claimed.batch_id))


def _stop(runtime: Runtime, claimed: ClaimedSlice, reason: str) -> None:
    """Not in the slice's transaction either, for the same reason as `_join_line`."""
    try:
        with transaction(runtime.engine) as connection:
            request_stop(connection, claimed.batch_id, reason)
    except (SQLAlchemyError, BatchlineError) as error:
        # Whoever folds the slice in counts again.
        log.warning("batch.not_stopped", batch=str(claimed.batch_id), error=str(error))
