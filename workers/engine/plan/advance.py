"""Moving a batch on: the one function behind submission, the chord's callback, and the sweep.

It may be called at any time, any number of times: it reads the rows, under a lock on the batch's
row, and does what comes next. It never relies on an earlier call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import UUID

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.batches.approval import await_approval
from app.batches.guards import guards_of
from app.batches.long_work import cancel_all
from app.batches.phase import working_phase
from app.batches.settling import settle
from app.batches.stop import drop_ready_slices, request_stop, tally_so_far
from app.core import lifecycle
from app.core.correlation import work_on
from app.db import sqlstate, transaction
from app.db.statements.batch_progress import (
    END_VALIDATION_OF_BATCH,
    SET_DUE_OF_BATCH,
    SET_NEXT_INDEX_OF_BATCH,
)
from app.db.statements.batches import BatchRow, lock_batch_row
from app.db.statements.item_planning import (
    GET_FIRST_ITEM_LEFT,
    GET_WAIT_FOR_NEXT_ITEM,
    RESCUE_ITEMS,
)
from app.db.statements.rows import row_of
from app.db.statements.slices import COUNT_UNFINISHED_SLICES
from app.db.statements.turns import JOIN_LINE, LEAVE_LINE, OTHERS_ARE_IN_LINE
from workers.engine.plan.beginning import begin
from workers.engine.plan.held import hold, note_held_items
from workers.engine.plan.lane_steps import may_run_ahead
from workers.engine.plan.lanes import find_lanes
from workers.engine.plan.long_steps import go_on
from workers.engine.plan.planner import Plan, plan_wave
from workers.engine.plan.ramp_steps import end_step
from workers.engine.plan.room import room_for
from workers.engine.plan.waves import Waves, fold_slices, send_again, write_wave
from workers.engine.retries.deferrals import fail_deferred, wait_in_vain
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)

_LOCKED = "55P03"
# Seconds after which a batch that somebody else had locked is looked at again.
_COME_AGAIN = 0.5
# Seconds: whatever waits for longer waits for a breaker, and not for a time.
_FAR_OFF = 1e10


@dataclass(slots=True)
class _Next:
    """What comes once the transaction has committed.

    `waves`: slices to be sent. `again_after`: seconds until the batch is to be moved on again.
    `at_once`: it is to be moved on once more now. `waits`: it is in line, for room or its turn.
    `long_work`: what it is doing in steps (app/batches/long_work), which come first.
    """

    waves: Waves = field(default_factory=dict)
    again_after: float | None = None
    at_once: bool = False
    waits: bool = False
    long_work: str | None = None


def advance(runtime: Runtime, batch_id: UUID, *, its_turn: bool = True) -> str | None:
    """Fold in what is done, and send what comes next, as far as there is room; or settle the batch.

    Idempotent. Does nothing for a batch that is gone, not started, paused or ended. `its_turn`:
    False to leave the room there is to who is in line, if anybody is; the batch then joins them.
    Returns the line in which it waits, None if it does not. A batch that another transaction has
    locked for long is left, and a message sent to come again.
    """

    def lock(connection: Connection) -> BatchRow | None:
        row = connection.execute(lock_batch_row(soon=True), {"batch_id": batch_id})
        return row_of(BatchRow, row)

    try:
        return advance_locked(runtime, lock, its_turn=its_turn)
    except DBAPIError as error:
        if sqlstate(error) != _LOCKED:
            raise
        runtime.send_advance(batch_id, _COME_AGAIN)
        return None


def advance_locked(
    runtime: Runtime, lock: Callable[[Connection], BatchRow | None], *, its_turn: bool = True
) -> str | None:
    """`advance` for the batch that `lock` finds and locks, in the same transaction.

    `lock` is called again for each transaction that it takes, and None from it is the end.
    """
    went_on = False
    while True:
        with transaction(runtime.engine) as connection:
            batch = lock(connection)
            if batch is None:
                return None
            work_on(batch.id, batch.client_id, batch.request_id)
            if _is_kept_by_long_work(batch, went_on=went_on):
                todo = _leave_line(connection, batch)
                todo.long_work = None if went_on else batch.doing
            else:
                todo = _move(runtime, connection, batch, its_turn=its_turn)
        for wave, slices in todo.waves.items():
            runtime.send_wave(batch.id, wave, slices)
        if todo.again_after is not None:
            runtime.send_advance(batch.id, todo.again_after)
        if todo.long_work is not None:
            if not go_on(runtime, batch.id, todo.long_work):
                return None
            went_on = True
        elif not todo.at_once:
            return batch.queue if todo.waits else None


def _move(runtime: Runtime, connection: Connection, batch: BatchRow, *, its_turn: bool) -> _Next:
    if batch.status not in (lifecycle.PENDING, lifecycle.RUNNING, lifecycle.PAUSED):
        if batch.status == lifecycle.AWAITING and batch.ended_items == batch.total:
            # All that could have run has been canceled, item by item.
            settle(connection, batch.id)
        return _leave_line(connection, batch)
    if batch.stopping:
        drop_ready_slices(connection, batch.id)
    # Counted first: what ends after that is not folded here, and its own end brings the batch on.
    unfinished = _unfinished(connection, batch)
    batch = fold_slices(runtime, connection, batch)
    stopping = batch.stopping
    if not stopping and (stopping := _too_many_failed(connection, batch)):
        unfinished = _unfinished(connection, batch) if unfinished else 0
    if stopping:
        return _leave_line(connection, batch) if unfinished else _stop(runtime, connection, batch)
    if _is_nothing_left(batch):
        _end_what_is_through(connection, batch)
        return _leave_line(connection, batch)
    if batch.status == lifecycle.PAUSED:
        return _leave_line(connection, batch)
    todo = _Next(waves=send_again(connection, batch) if unfinished else {})
    if not unfinished and wait_in_vain(connection, batch):
        if batch.ramped:
            return _end_of_step(connection, batch)
        fail_deferred(connection, batch)
        return _Next(at_once=True)
    if batch.needs_lanes and batch.status == lifecycle.PENDING:
        lanes_needed = batch.doing is None
        if lanes_needed and not find_lanes(connection, runtime.known, batch, runtime.pace):
            return _Next(long_work=lifecycle.FIND_KEYS)
        begin(connection, batch)
        batch = replace(batch, status=lifecycle.RUNNING)
    return _plan(runtime, connection, batch, unfinished, todo, its_turn=its_turn)


def _plan(
    runtime: Runtime,
    connection: Connection,
    batch: BatchRow,
    unfinished: int,
    todo: _Next,
    *,
    its_turn: bool,
) -> _Next:
    """Plan what there is room for; where nothing is due, see what comes then."""
    here = {"batch_id": batch.id, "queue": batch.queue}
    room = 0
    if its_turn or not (
        batch.turn_at is not None or connection.execute(OTHERS_ARE_IN_LINE, here).scalar_one()
    ):
        room = room_for(connection, runtime, batch.queue, batch.client_id)
    plan = Plan(next_index=batch.next_index)
    waits = room <= 0 and batch.next_index < batch.reach
    if not waits:
        # Without room it is still seen whether anything is due.
        plan = plan_wave(connection, runtime, batch, room=max(1, room), unfinished=unfinished)
    if plan.held:
        hold(connection, batch, plan.held)
        return todo
    if waits or (plan.slices and room <= 0):
        connection.execute(JOIN_LINE, {"batch_id": batch.id})
        todo.waits = True
        return todo
    if plan.slices:
        write_wave(connection, batch, plan)
        todo.waves.setdefault(batch.wave + 1, []).extend(enumerate(plan.slices))
        return todo
    if batch.status == lifecycle.PENDING:
        begin(connection, batch)
    if plan.next_index != batch.next_index:
        connection.execute(
            SET_NEXT_INDEX_OF_BATCH, {"batch_id": batch.id, "next_index": plan.next_index}
        )
        todo.at_once = True
        return todo
    if batch.doing is not None and not (batch.ramped and batch.next_index >= batch.end):
        # Lanes are still being marked; for the rest of those `advance` has been sent again.
        _leave_line(connection, batch)
        return todo
    if unfinished:
        todo.again_after = _wait(connection, batch)
        return todo
    if batch.phase == "validate":
        return _end_of_validation(runtime, connection, batch)
    if batch.ramped:
        wait = _wait(connection, batch)
        return _Next(again_after=wait) if wait is not None else _end_of_step(connection, batch)
    return _wait_or_settle(connection, batch)


def _is_nothing_left(batch: BatchRow) -> bool:
    """Whether all of it has ended where `resume`, or the first pass, would find that out late.

    What has been canceled item by item the first pass would go over slice by slice.
    """
    through = batch.ended_items == batch.total and batch.phase != "validate"
    return through and bool(batch.canceled or batch.status == lifecycle.PAUSED)


def _end_what_is_through(connection: Connection, batch: BatchRow) -> None:
    """End the batch, unless a slice is claimed that has nothing left to do; its end brings it on.

    Slices that nobody has claimed have nothing left either.
    """
    drop_ready_slices(connection, batch.id)
    if not _unfinished(connection, batch):
        settle(connection, batch.id)


def _is_kept_by_long_work(batch: BatchRow, *, went_on: bool) -> bool:
    """Whether the batch does something in steps that comes before all else.

    `went_on`: some have just been made, and there may be more.
    """
    if batch.doing is None:
        return False
    if batch.doing in lifecycle.CALLERS_WORK:
        return True
    # Of one that is paused, or is being stopped, no further lanes are marked.
    if batch.status == lifecycle.PAUSED or batch.stopping:
        return False
    return not (went_on and may_run_ahead(batch))


def _stop(runtime: Runtime, connection: Connection, batch: BatchRow) -> _Next:
    """Cancel what is left, of which nothing is under way, and settle; in steps if it is much."""
    more = cancel_all(connection, batch, runtime.pace)
    return _Next(long_work=lifecycle.CANCEL if more else None)


def _leave_line(connection: Connection, batch: BatchRow) -> _Next:
    if batch.turn_at is not None:
        connection.execute(LEAVE_LINE, {"batch_id": batch.id})
    return _Next()


def _unfinished(connection: Connection, batch: BatchRow) -> int:
    this = {"batch_id": batch.id}
    return int(connection.execute(COUNT_UNFINISHED_SLICES, this).scalar_one())


def _too_many_failed(connection: Connection, batch: BatchRow) -> str | None:
    """Which guard has been passed, and stops the batch.

    Slices that run side by side do not see each other's failures.
    """
    guards = guards_of(batch.max_failures, batch.max_failure_percent, batch.min_processed)
    if guards is None or batch.phase == "validate":
        return None
    reason = guards.passed(tally_so_far(connection, batch.id))
    if reason is not None:
        request_stop(connection, batch.id, reason)
        drop_ready_slices(connection, batch.id)
    return reason


def _end_of_validation(runtime: Runtime, connection: Connection, batch: BatchRow) -> _Next:
    """What comes after validation (onInvalid: reject, and before an approval)."""
    if batch.invalid and batch.on_invalid == "reject":
        return _stop(runtime, connection, batch)
    checked = batch.approval == lifecycle.APPROVAL_CHECKING
    if checked and batch.max_failures is not None:
        # So many that it would be stopped before anything runs: there is nothing to approve.
        failures = tally_so_far(connection, batch.id).failures
        if failures > batch.max_failures:
            request_stop(connection, batch.id, lifecycle.STOP_MAX_FAILURES)
            return _stop(runtime, connection, batch)
    first = connection.execute(GET_FIRST_ITEM_LEFT, {"batch_id": batch.id}).scalar()
    if checked and batch.ended_items < batch.total:
        await_approval(connection, batch, batch.total if first is None else first)
        return _Next()
    if checked:
        return _wait_or_settle(connection, batch)
    connection.execute(
        END_VALIDATION_OF_BATCH,
        {
            "batch_id": batch.id,
            "phase": working_phase(dry_run=batch.dry_run, dry_effects=batch.dry_effects),
            "next_index": batch.total if first is None else first,
        },
    )
    return _Next(at_once=True)


def _end_of_step(connection: Connection, batch: BatchRow) -> _Next:
    """Go on with the next step of its ramp at once, or not before somebody wants it to."""
    return _Next(at_once=end_step(connection, batch))


def _wait(connection: Connection, batch: BatchRow) -> float | None:
    """Out of the line until the next item is due; in how many seconds, None if none has a time."""
    wait = connection.execute(GET_WAIT_FOR_NEXT_ITEM, {"batch_id": batch.id}).scalar()
    seconds = None if wait is None else float(wait)
    if seconds is not None and seconds > _FAR_OFF:
        note_held_items(connection, batch)
    connection.execute(SET_DUE_OF_BATCH, {"batch_id": batch.id, "wait": seconds})
    return seconds


def _wait_or_settle(connection: Connection, batch: BatchRow) -> _Next:
    wait = _wait(connection, batch)
    if wait is not None:
        return _Next(again_after=wait)
    if settle(connection, batch.id) is not None:
        return _Next()
    # This should never happen. If it does, the items are tried rather than left.
    lost = connection.execute(RESCUE_ITEMS, {"batch_id": batch.id}).rowcount
    log.error("items.rescued", batch=str(batch.id), items=lost)
    return _Next(at_once=bool(lost))
