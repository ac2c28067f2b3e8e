"""Taking turns: a free worker moves on what is next in line, and runs what is one slice.

A message says that there is something to do; which batch it is done for, the line decides: each
client in turn (app/db/statements/turns.py), so that one with a thousand batches is no nearer to its
next than one with a single batch. Several small ones may be begun together, and are then run one
after the other, as long as all of them should take less than `_TOGETHER` seconds: if the first
takes longer, the others are given back. A worker goes on for `_LONGEST` seconds at most and then
sends itself a message, so that other messages get their turn, too.
"""

from __future__ import annotations

import time
from itertools import zip_longest
from uuid import UUID

import structlog
from sqlalchemy import Connection

from app.db import each_by_itself, is_away, transaction
from app.db.statements.batches import BatchRow, lock_batch_row
from app.db.statements.rows import row_of, rows_of
from app.db.statements.slice_claims import GIVE_BACK_CLAIMS
from app.db.statements.slices import COUNT_UNFINISHED_SLICES
from app.db.statements.turns import TAKE_TURNS, WAIT_BEHIND
from app.events.listeners import listener
from workers.engine.claim.claims import ClaimedSlice, LostClaim
from workers.engine.plan.advance import advance, advance_locked
from workers.engine.plan.room import is_wanted, passed_over
from workers.engine.plan.whole import begin_whole, seconds_expected
from workers.engine.run.run_slice import run_claimed
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)

# Batches that are begun together, at most, and seconds that they should then take.
_AT_ONCE = 8
_TOGETHER = 0.1
# Seconds after the first of which the next is given back, and for which a worker goes on.
_PATIENCE = 0.25
_LONGEST = 1.0


def move_on(runtime: Runtime, batch_id: UUID) -> None:
    """What a message of a batch asks for: whose turn it is, and that batch if it is not in line."""
    line = runtime.line
    began = time.monotonic()
    taken: set[UUID] = set()
    while line is not None:
        found = _take(runtime, line)
        taken |= found
        if not found:
            break
        if time.monotonic() - began > _LONGEST:
            runtime.send_turn(batch_id, line)
            break
    if batch_id not in taken:
        _settle(runtime, batch_id)


def settle_wave(runtime: Runtime, batch_id: UUID) -> None:
    """What a chord's callback asks for: settle the batch, or move it on, if that was all of it.

    While others of its slices are under way, each of those sees to what comes next as it ends. For
    what is left then the batch waits in line.
    """
    with each_by_itself(runtime.engine) as connection:
        if connection.execute(COUNT_UNFINISHED_SLICES, {"batch_id": batch_id}).scalar_one():
            return
    _settle(runtime, batch_id)


def _settle(runtime: Runtime, batch_id: UUID) -> None:
    line = advance(runtime, batch_id, its_turn=False)
    if line is not None:
        refill(runtime, line)


def refill(runtime: Runtime, line: str) -> None:
    """A slice of the line has ended: plan for whoever is next, as far as there is room.

    Nothing is run here. A batch that is one slice goes the way of all others.
    """
    with each_by_itself(runtime.engine) as connection:
        if not is_wanted(connection, runtime, line):
            return
    found: BatchRow | None = None

    def lock(connection: Connection) -> BatchRow | None:
        nonlocal found
        if found is not None:  # it takes more than one transaction
            row = connection.execute(lock_batch_row(soon=True), {"batch_id": found.id})
            return row_of(BatchRow, row)
        for found in _next(runtime, connection, line, most=1):
            runtime.turns.note(line, found.client_id)
        return found

    try:
        advance_locked(runtime, lock)
    except Exception as error:
        if found is None:
            raise
        _wait_behind(runtime, found.id, error)


def _take(runtime: Runtime, line: str) -> set[UUID]:
    """Take one round of turns; the batches that were moved on."""
    begun: list[ClaimedSlice] = []
    others: list[UUID] = []
    with transaction(runtime.engine) as connection:
        expected = 0.0
        for row in _next(runtime, connection, line, most=_AT_ONCE if line == "fast" else 1):
            takes = seconds_expected(runtime, connection, row)
            if begun and (takes is None or expected + takes > _TOGETHER):
                break  # it keeps its place in line
            claimed = begin_whole(runtime, connection, row)
            runtime.turns.note(line, row.client_id)
            if claimed is None:
                others.append(row.id)
                continue
            begun.append(claimed)
            if takes is None:
                break
            expected += takes
    _run(runtime, begun)
    moved = {claimed.batch_id for claimed in begun}
    # One a round: whoever waits for room keeps its place.
    for batch_id in others[:1]:
        if not _advance(runtime, batch_id):
            moved.add(batch_id)
    return moved


def _next(runtime: Runtime, connection: Connection, line: str, *, most: int) -> list[BatchRow]:
    """Whose turn it is, locked."""
    rows = rows_of(
        BatchRow,
        connection.execute(
            TAKE_TURNS,
            {
                "queue": line,
                "after": runtime.turns.last(line),
                "most": most,
                "passed_over": passed_over(connection, runtime, line),
            },
        ),
    )
    return _by_turns(rows)


def _by_turns(rows: list[BatchRow]) -> list[BatchRow]:
    """One of each client's, then the second of each, and so on."""
    queues: dict[UUID, list[BatchRow]] = {}
    for row in rows:
        queues.setdefault(row.client_id, []).append(row)
    rounds = zip_longest(*queues.values())
    return [row for each in rounds for row in each if row is not None]


def _advance(runtime: Runtime, batch_id: UUID) -> bool:
    """Move the batch on, as it is its turn; whether it waits for room.

    If that fails for a reason of its own, it waits behind the others: they must not fail by it.
    """
    try:
        return advance(runtime, batch_id) is not None
    except Exception as error:
        _wait_behind(runtime, batch_id, error)
        return True


def _wait_behind(runtime: Runtime, batch_id: UUID, error: Exception) -> None:
    if is_away(error):
        raise error
    log.error("batch.not_moved", batch=str(batch_id), error=str(error), exc_info=error)
    with transaction(runtime.engine) as connection:
        connection.execute(WAIT_BEHIND, {"batch_id": batch_id})


def _run(runtime: Runtime, begun: list[ClaimedSlice]) -> None:
    """Run the slices one after the other; what would have to wait is given back."""
    started = time.monotonic()
    for place, claimed in enumerate(begun):
        if place and (time.monotonic() - started > _PATIENCE or runtime.stopping.is_set()):
            _give_back(runtime, begun[place:])
            return
        try:
            ended = run_claimed(runtime, claimed)
        except LostClaim:
            continue  # it is another's by now, and none of the others' business
        except BaseException:
            for left in begun[place + 1 :]:
                runtime.heartbeat.give_back(left.claim)
            raise
        if not ended:
            listener().wave_written(claimed.operation)
            _settle(runtime, claimed.batch_id)


def _give_back(runtime: Runtime, claims: list[ClaimedSlice]) -> None:
    with transaction(runtime.engine) as connection:
        connection.execute(GIVE_BACK_CLAIMS, {"claims": [one.claim for one in claims]})
    for claimed in claims:
        advance(runtime, claimed.batch_id)
