"""A slice's life: claimed, run, its outcomes written, done. The work of one header task."""

from __future__ import annotations

import random
import time
from uuid import UUID

import structlog
from sqlalchemy import Connection, text

from app.batches.lifecycle import STOP_MAX_FAILURES
from app.batches.stopping import failures_so_far, request_stop
from app.db import is_away, is_retryable, transaction
from workers.engine.answers import describe
from workers.engine.claims import ClaimedSlice, LostClaim, add_counts, claim_slice
from workers.engine.execution import Run, SliceTransactionLost
from workers.engine.loading import load_slice
from workers.engine.outcomes import Outcomes, write_outcomes
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)

_TRIES = 5
# Outside effects: how long an outcome may wait before it is written, in seconds.
_WRITE_EVERY = 0.5
_BACKEND = text("UPDATE slices SET backend_pid = pg_backend_pid() WHERE claim = :claim")


def run_slice(runtime: Runtime, batch_id: UUID, wave: int, number: int) -> bool:
    """Process slice `number` of wave `wave`. False where there was nothing (left) to do.

    Never raises for what an item does. Where the database is away for too long the claim is given
    back as soon as it can be.
    """
    with transaction(runtime.engine) as connection:
        claimed = claim_slice(connection, batch_id, wave, number, runtime.identity.id)
    if claimed is None:
        return False
    try:
        _process(runtime, claimed)
    except LostClaim as lost:
        log.warning("slice.claim_lost", slice=str(lost), batch=str(batch_id))
        return False
    except BaseException:
        runtime.identity.orphan(claimed.claim)
        raise
    return True


def _process(runtime: Runtime, claimed: ClaimedSlice) -> None:
    singly = False
    for attempt in range(_TRIES):
        try:
            _run_once(runtime, claimed, singly=singly)
            return
        except LostClaim:
            raise
        except Exception as error:
            if attempt == _TRIES - 1:
                raise
            again = isinstance(error, SliceTransactionLost) or is_retryable(error)
            if again or is_away(error):
                time.sleep(random.uniform(0.5, 1.5) * 0.05 * 4**attempt)  # noqa: S311 (jitter)
            elif singly:
                raise
            else:
                # One item spoiled it for all: find out which, each in a savepoint of its own.
                log.info("slice.singly", batch=str(claimed.batch_id), error=describe(error))
                singly = True


def _run_once(runtime: Runtime, claimed: ClaimedSlice, *, singly: bool) -> None:
    with transaction(runtime.engine) as connection:
        # Whoever takes over from a process that hangs must be able to end its transaction.
        connection.execute(_BACKEND, {"claim": claimed.claim})
        valid, invalid = load_slice(connection, claimed, runtime.registry)
        allowance = _allowance(connection, claimed)
        if claimed.phase == "validate":
            run = Run(claimed, connection, allowance=None)
            run.refuse(invalid)
            _finish(connection, claimed, run.outcomes)
            return
        inside = claimed.phase == "dry" or all(one.operation.in_database for one in valid)
        if inside:
            run = Run(claimed, connection, allowance=allowance, singly=singly)
            run.refuse(invalid)
            run.process(valid)
            _finish(connection, claimed, run.outcomes)
            return
    writer = _Writer(runtime, claimed)
    run = Run(claimed, None, allowance=allowance, after_each=writer.maybe_write)
    run.refuse(invalid)
    run.process(valid)
    writer.write(run.outcomes, done=True)


def _finish(connection: Connection, claimed: ClaimedSlice, outcomes: Outcomes) -> None:
    write_outcomes(connection, claimed, outcomes)
    add_counts(
        connection,
        claimed,
        completed=len(outcomes.succeeded),
        failed=outcomes.failed,
        invalid=outcomes.invalid,
        done=True,
    )
    _stop_after_too_many(connection, claimed, outcomes)


def _allowance(connection: Connection, claimed: ClaimedSlice) -> int | None:
    """How many more of the batch's items may fail before the rest is canceled."""
    if claimed.max_failures is None or claimed.phase == "validate":
        return None
    return claimed.max_failures - failures_so_far(connection, claimed.batch_id)


def _stop_after_too_many(connection: Connection, claimed: ClaimedSlice, outcomes: Outcomes) -> None:
    if claimed.max_failures is None or claimed.phase == "validate" or not outcomes.failures:
        return
    if failures_so_far(connection, claimed.batch_id) > claimed.max_failures:
        request_stop(connection, claimed.batch_id, STOP_MAX_FAILURES)


class _Writer:
    """Writes the outcomes of outside effects as they come, a transaction each half second."""

    def __init__(self, runtime: Runtime, claimed: ClaimedSlice) -> None:
        self._runtime = runtime
        self._claimed = claimed
        self._written_at = time.monotonic()

    def maybe_write(self, outcomes: Outcomes) -> bool:
        """Write if it is time; True where the slice should stop (the worker is shutting down)."""
        if time.monotonic() - self._written_at >= _WRITE_EVERY:
            self.write(outcomes, done=False)
        return self._runtime.stopping.is_set()

    def write(self, outcomes: Outcomes, *, done: bool) -> None:
        """Write all there is, tried until the database takes it, and forget it."""
        for attempt in range(_TRIES):
            try:
                with transaction(self._runtime.engine) as connection:
                    write_outcomes(connection, self._claimed, outcomes)
                    add_counts(
                        connection,
                        self._claimed,
                        completed=len(outcomes.succeeded),
                        failed=outcomes.failed,
                        invalid=outcomes.invalid,
                        done=done,
                    )
                    _stop_after_too_many(connection, self._claimed, outcomes)
                break
            except LostClaim:
                raise
            except Exception as error:
                if attempt == _TRIES - 1 or not (is_retryable(error) or is_away(error)):
                    raise
                time.sleep(0.2 * 4**attempt)
        outcomes.succeeded.clear()
        outcomes.failures.clear()
        outcomes.put_off.clear()
        self._written_at = time.monotonic()
