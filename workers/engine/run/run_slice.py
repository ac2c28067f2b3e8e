"""A slice's life: claimed, run, its outcomes written, done. The work of one header task."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

import structlog
from sqlalchemy import Connection

from app.batches.guards import Allowance
from app.batches.stop import tally_so_far
from app.core.correlation import work_on
from app.core.errors import BatchlineError
from app.db import is_away, transaction
from app.events.listeners import listener
from app.messaging.broker import LONGEST_COUNTDOWN
from handlers.contract import Reject
from workers.engine.breakers.held_back import HeldBack
from workers.engine.claim.claims import ClaimedSlice, LostClaim, claim_slice, hold
from workers.engine.claim.limits import Refused, release_parked
from workers.engine.claim.load_items import Loaded, load_slice, pending_from
from workers.engine.claim.served import SliceWaits, give_to_others, pass_on
from workers.engine.outcome.classify import HANDLER_ERROR, describe
from workers.engine.outcome.fail_slice import fail_slice
from workers.engine.outcome.writing import (
    CannotBeWritten,
    OutcomesRefused,
    Writer,
    begin_outcomes,
    write_with_effects,
)
from workers.engine.plan.waves import planned
from workers.engine.run.breakers import SliceBreakers
from workers.engine.run.context import SliceContext
from workers.engine.run.execute import Run
from workers.engine.run.gate import Gate
from workers.engine.run.given_connection import SliceTransaction, TransactionEnded
from workers.engine.run.terms import ItemGivenUp, SliceSpoiled, SliceTransactionLost, Terms
from workers.engine.run.timeouts import set_timeouts
from workers.engine.run.undoing import begin_undoing, undo_effects
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)

_TRIES = 5
_BREAKS = "The connection to the database broke each time it was tried"
# A slice that takes so many times what it should leaves the rest to others, cut anew.
_PATIENCE = 4


def run_slice(runtime: Runtime, batch_id: UUID, wave: int, number: int) -> ClaimedSlice | None:
    """Process slice `number` of wave `wave`; None where there was nothing (left) to do.

    Never raises for what an item does. Where the database is away for too long the claim is given
    back as soon as it can be.
    """
    with transaction(runtime.engine) as connection:
        claimed = claim_slice(
            connection, runtime.registry, batch_id, wave, number, runtime.heartbeat.worker_id
        )
        if isinstance(claimed, ClaimedSlice):
            claimed = pass_on(connection, runtime.known, claimed) or claimed
    if isinstance(claimed, Refused):
        _come_again(runtime, batch_id, wave, number, claimed)
        return None
    if claimed is None:
        return None
    try:
        run_claimed(runtime, claimed)
    except LostClaim:
        return None
    if claimed.limited:
        send_released(runtime, claimed.limited)
    return claimed


def run_claimed(runtime: Runtime, claimed: ClaimedSlice) -> bool:
    """Process a slice that is this process's; whether its batch has ended with it.

    Raises LostClaim where it is not, in the end; else as `run_slice`.
    """
    where = {} if claimed.whole else {"wave": claimed.wave, "slice": claimed.number}
    work_on(claimed.batch_id, claimed.client_id, claimed.request_id, **where)
    claimed = replace(claimed, began=time.monotonic())
    try:
        return process(runtime, claimed)
    except SliceWaits as waits:
        with transaction(runtime.engine) as connection:
            given = give_to_others(connection, claimed, waits.where, waits.operation)
        _come_again(runtime, claimed.batch_id, claimed.wave, claimed.number, given)
        return False
    except LostClaim as lost:
        log.warning("slice.claim_lost", slice=str(lost), batch=str(claimed.batch_id))
        listener().claim_lost()
        # Should it be ours after all, it must not be ours for ever.
        runtime.heartbeat.give_back(claimed.claim)
        raise
    except BaseException:
        runtime.heartbeat.give_back(claimed.claim)
        raise


def send_released(runtime: Runtime, operations: Iterable[str] | None = None) -> int:
    """Send the slices that waited for a place, as far as there is one; how many.

    `operations`: those of which a place may have become free; all by default.
    """
    try:
        with transaction(runtime.engine) as connection:
            released = release_parked(connection, runtime.known, operations)
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


def process(runtime: Runtime, claimed: ClaimedSlice) -> bool:
    """Run the slice, again where its transaction was lost, until it is done.

    Returns whether its batch has ended with it, which only one that is `whole` can say. Raises
    LostClaim, and whatever says that the database is away.
    """
    until = time.monotonic() + _PATIENCE * runtime.settings.slice_target_seconds
    given_up: dict[int, Exception] = {}
    singly = False
    tries = 0
    # The items that were being tried when the connection broke.
    broke_at: list[int | None] = []
    while True:
        try:
            return _run_once(
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
        except (LostClaim, SliceWaits):
            raise
        except ItemGivenUp as item:
            kept = item.held_by
            given_up[item.index] = item.problem if kept is None else HeldBack(kept)
        except OutcomesRefused as refused:
            if refused.problems.keys() <= given_up.keys():
                fail_slice(runtime, claimed, _cause(refused))
                return False
            given_up |= refused.problems
        except SliceSpoiled as spoiled:
            # One item spoiled it for all: find out which, each in a savepoint of its own.
            log.info("slice.singly", batch=str(claimed.batch_id), error=_cause(spoiled))
            singly = True
        except CannotBeWritten as error:
            fail_slice(runtime, claimed, _cause(error))
            return False
        except Exception as error:
            tries += 1
            broke_at.append(error.index if isinstance(error, SliceTransactionLost) else None)
            away = is_away(error)
            if tries == _TRIES:
                index = broke_at[0]
                if index is not None and broke_at == [index] * _TRIES:
                    given_up[index] = Reject(_BREAKS, code=HANDLER_ERROR)
                    tries = 0
                    broke_at.clear()
                    continue
                if away or claimed.phase == "validate":
                    raise
                fail_slice(runtime, claimed, _cause(error))
                return False
            time.sleep(random.uniform(0.5, 1.5) * 0.05 * 4 ** (tries - 1))  # noqa: S311 (jitter)
            if not (singly or away):
                # In bulk nobody knows which item it was; one by one each has all its tries.
                singly, tries = True, 0
                broke_at.clear()


def _cause(error: Exception) -> str:
    return describe(error.__cause__ or error)


def _run_once(runtime: Runtime, claimed: ClaimedSlice, terms: Terms) -> bool:
    with transaction(runtime.engine) as connection:
        hold(connection, claimed, runtime.breakers)
        valid, invalid, rest = load_slice(connection, claimed, runtime.known)
        terms.allowance = _allowance(connection, claimed)
        looking = claimed.phase == "validate"
        calling = claimed.calls_handlers
        if calling:
            terms.gate = _gate(runtime, claimed, valid)
        if looking or not calling or all(one.operation.in_database for one in valid):
            effects = SliceTransaction(connection)
            run = Run(claimed, SliceContext(claimed, effects.given), effects, terms)
            run.refuse(invalid)
            while looking and rest is not None:
                _, invalid, rest = load_slice(connection, claimed, runtime.known, first=rest)
                run.refuse(invalid)
            if rest is not None:
                run.leave(pending_from(connection, claimed, rest))
            if calling:
                set_timeouts(connection, claimed, valid)
            undoing = claimed.dry_effects and calling
            if undoing:
                begin_undoing(connection, claimed)
            if not looking:
                run.process(valid)
            try:
                if undoing:
                    undo_effects(connection, claimed)
                if begin_outcomes(connection) != str(claimed.claim) and calling:
                    raise TransactionEnded
            except TransactionEnded as ended:
                # A bulk handler has ended the transaction and begun another. Alone, each would have
                # been found out.
                connection.invalidate()
                raise SliceTransactionLost if terms.singly else SliceSpoiled from ended
            return write_with_effects(runtime, connection, claimed, run.outcomes)
        left = [] if rest is None else pending_from(connection, claimed, rest)
    writer = Writer(runtime, claimed)
    run = Run(claimed, SliceContext(claimed, None), None, terms, after_each=writer.maybe_write)
    run.refuse(invalid)
    run.leave(left)
    run.process(valid)
    return writer.write(run.outcomes, done=True)


def _gate(runtime: Runtime, claimed: ClaimedSlice, items: list[Loaded]) -> Gate:
    """What lets them begin. Of effects elsewhere each call is told of at once."""
    at_once = not all(loaded.operation.in_database for loaded in items)
    return Gate(SliceBreakers(runtime, claimed.batch_id), at_once=at_once)


def _allowance(connection: Connection, claimed: ClaimedSlice) -> Allowance | None:
    """What may still fail of the batch's items before the rest is canceled."""
    if claimed.guards is None or claimed.phase == "validate":
        return None
    return Allowance(claimed.guards, tally_so_far(connection, claimed.batch_id))
