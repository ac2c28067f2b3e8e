"""A slice's life: claimed, run, its outcomes written, done. The work of one header task."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from uuid import UUID

import structlog
from sqlalchemy import Connection

from app.batches.stop import failures_so_far, request_stop
from app.core.correlation import note
from app.core.errors import BatchlineError
from app.core.lifecycle import STOP_MAX_FAILURES
from app.db import is_away, is_retryable, transaction
from app.db.statements.sessions import LIFT_STATEMENT_TIMEOUT, SET_TIMEOUTS
from app.events.listeners import listener
from app.messaging.broker import LONGEST_COUNTDOWN
from handlers.contract import Problem
from workers.engine.claim.claims import ClaimedSlice, LostClaim, add_counts, claim_slice, hold
from workers.engine.claim.limits import Refused, release_parked
from workers.engine.claim.load_items import Loaded, load_slice, pending_from
from workers.engine.outcome.classify import describe
from workers.engine.outcome.fail_slice import fail_slice
from workers.engine.outcome.outcomes import Outcomes
from workers.engine.outcome.write_outcomes import write_outcomes
from workers.engine.plan.waves import planned
from workers.engine.run.execute import ItemTimedOut, Run, SliceTransactionLost, Terms
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)

_TRIES = 5
# Effects elsewhere: how long an outcome may wait before it is written, in seconds.
_WRITE_EVERY = 0.5
# A slice that takes so many times what it should leaves the rest to others, cut anew.
_PATIENCE = 4
# Seconds that a session may sit idle in the slice's transaction, at least.
_SILENCE = 60.0


def run_slice(runtime: Runtime, batch_id: UUID, wave: int, number: int) -> bool:
    """Process slice `number` of wave `wave`. False where there was nothing (left) to do.

    Never raises for what an item does. Where the database is away for too long the claim is given
    back as soon as it can be.
    """
    with transaction(runtime.engine) as connection:
        claimed = claim_slice(
            connection, runtime.registry, batch_id, wave, number, runtime.heartbeat.worker_id
        )
    if isinstance(claimed, Refused):
        _come_again(runtime, batch_id, wave, number, claimed)
        return False
    if claimed is None:
        return False
    note(client=claimed.client_id)
    try:
        process(runtime, claimed)
    except LostClaim as lost:
        log.warning("slice.claim_lost", slice=str(lost), batch=str(batch_id))
        listener().claim_lost()
        # Should it be ours after all, it must not be ours for ever.
        runtime.heartbeat.give_back(claimed.claim)
        return False
    except BaseException:
        runtime.heartbeat.give_back(claimed.claim)
        raise
    if claimed.limited:
        send_released(runtime, claimed.limited)
    return True


def send_released(runtime: Runtime, operations: Iterable[str] | None = None) -> int:
    """Send the slices that waited for a place, as far as there is one; how many.

    `operations`: those of which a place may have become free; all by default.
    """
    try:
        with transaction(runtime.engine) as connection:
            released = release_parked(connection, runtime.registry, operations)
    except BatchlineError as error:
        log.warning("parked.not_released", error=str(error))  # the sweep does it
        return 0
    for row in released:
        runtime.send_wave(row.batch_id, row.wave, [(row.number, planned(row))])
    return len(released)


def _come_again(runtime: Runtime, batch_id: UUID, wave: int, number: int, why: Refused) -> None:
    """Send the slice for the moment it was given; one far off is sent by the sweep."""
    if why.slice_row is not None and why.delay <= LONGEST_COUNTDOWN:
        runtime.send_wave(batch_id, wave, [(number, planned(why.slice_row, why.delay))])


def process(runtime: Runtime, claimed: ClaimedSlice) -> None:
    """Run the slice, again where its transaction was lost, until it is done.

    Raises LostClaim, and whatever says that the database is away.
    """
    until = time.monotonic() + _PATIENCE * runtime.settings.slice_target_seconds
    given_up: dict[int, Problem] = {}
    singly = False
    tries = 0
    while True:
        try:
            _run_once(
                runtime,
                claimed,
                Terms(
                    allowance=None,
                    until=until,
                    stopping=runtime.stopping,
                    watch=runtime.watch,
                    singly=singly,
                    last_try=tries == _TRIES - 1,
                    given_up=given_up,
                ),
            )
            return
        except LostClaim:
            raise
        except ItemTimedOut as late:
            given_up[late.index] = late.problem
        except Exception as error:
            tries += 1
            away = is_away(error)
            if tries == _TRIES:
                if away or claimed.phase == "validate":
                    raise
                fail_slice(runtime, claimed, describe(error.__cause__ or error))
                return
            if away or isinstance(error, SliceTransactionLost) or is_retryable(error):
                time.sleep(random.uniform(0.5, 1.5) * 0.05 * 4 ** (tries - 1))  # noqa: S311 (jitter)
            else:
                # One item spoiled it for all: find out which, each in a savepoint of its own.
                log.info("slice.singly", batch=str(claimed.batch_id), error=describe(error))
            singly = singly or not away


def _run_once(runtime: Runtime, claimed: ClaimedSlice, terms: Terms) -> None:
    with transaction(runtime.engine) as connection:
        hold(connection, claimed)
        valid, invalid, rest = load_slice(connection, claimed, runtime.registry)
        terms.allowance = _allowance(connection, claimed)
        looking = claimed.phase == "validate"
        calling = claimed.phase == "run"
        if looking or not calling or all(one.operation.in_database for one in valid):
            run = Run(claimed, connection, terms)
            run.refuse(invalid)
            while looking and rest is not None:
                _, invalid, rest = load_slice(connection, claimed, runtime.registry, first=rest)
                run.refuse(invalid)
            if rest is not None:
                run.leave(pending_from(connection, claimed, rest))
            if calling:
                _set_timeouts(connection, valid)
            if not looking:
                run.process(valid)
            if calling:
                connection.execute(LIFT_STATEMENT_TIMEOUT)
            _write(connection, claimed, run.outcomes, done=True)
            return
        left = [] if rest is None else pending_from(connection, claimed, rest)
    writer = _Writer(runtime, claimed)
    run = Run(claimed, None, terms, after_each=writer.maybe_write)
    run.refuse(invalid)
    run.leave(left)
    run.process(valid)
    writer.write(run.outcomes, done=True)


def _set_timeouts(connection: Connection, items: list[Loaded]) -> None:
    longest = max((loaded.operation.timeout_seconds for loaded in items), default=0.0)
    connection.execute(
        SET_TIMEOUTS,
        {
            # A little later than the interruption, which says better what happened.
            "statement": f"{int((longest + 0.25) * 1000)}ms" if longest else "0",
            "idle": f"{int(max(_SILENCE, 2 * longest))}s",
        },
    )


def _allowance(connection: Connection, claimed: ClaimedSlice) -> int | None:
    """How many more of the batch's items may fail before the rest is canceled."""
    if claimed.max_failures is None or claimed.phase == "validate":
        return None
    return claimed.max_failures - failures_so_far(connection, claimed.batch_id)


def _write(
    connection: Connection, claimed: ClaimedSlice, outcomes: Outcomes, *, done: bool
) -> None:
    """Write the outcomes and pass the fence, in the transaction of `connection`."""
    write_outcomes(connection, claimed, outcomes)
    add_counts(
        connection,
        claimed,
        completed=len(outcomes.succeeded),
        failed=outcomes.failed,
        invalid=outcomes.invalid,
        left=len(outcomes.left),
        done=done,
    )
    _stop_after_too_many(connection, claimed, outcomes)


def _stop_after_too_many(connection: Connection, claimed: ClaimedSlice, outcomes: Outcomes) -> None:
    if claimed.max_failures is None or claimed.phase == "validate" or not outcomes.failures:
        return
    if failures_so_far(connection, claimed.batch_id) > claimed.max_failures:
        request_stop(connection, claimed.batch_id, STOP_MAX_FAILURES)


class _Writer:
    """Writes the outcomes of effects elsewhere as they come, a transaction each half second."""

    def __init__(self, runtime: Runtime, claimed: ClaimedSlice) -> None:
        self._runtime = runtime
        self._claimed = claimed
        self._written_at = time.monotonic()

    def maybe_write(self, outcomes: Outcomes) -> None:
        """Write if it is time."""
        if time.monotonic() - self._written_at >= _WRITE_EVERY:
            self.write(outcomes, done=False)

    def write(self, outcomes: Outcomes, *, done: bool) -> None:
        """Write all there is, tried until the database takes it, and forget it."""
        for attempt in range(_TRIES):
            try:
                with transaction(self._runtime.engine) as connection:
                    hold(connection, self._claimed)
                    _write(connection, self._claimed, outcomes, done=done)
                break
            except LostClaim:
                raise
            except Exception as error:
                if attempt == _TRIES - 1 or not (is_retryable(error) or is_away(error)):
                    raise
                time.sleep(0.2 * 4**attempt)
        outcomes.clear()
        self._written_at = time.monotonic()
