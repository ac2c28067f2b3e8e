"""Taking slices from worker processes that are dead, or seem so.

A claimed slice whose worker's heartbeat is stale, or whose process is seen to be gone, is ended
without counts, and its items that have no outcome are due again: in small groups first, after a
second death each by itself (regroup.py), so that an item that kills workers is found. An item that
was held at `POISON_AFTER` deaths ends FAILED. A process that was only paused finds its claim gone;
if it has a transaction open, that is ended here, so that its locks block no other worker.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.batches.failures.grouping import group_items
from app.core.errors import BatchlineError
from app.db import transaction
from app.db.statements.held_items import held_by
from app.db.statements.item_outcomes import fail_poisonous_items
from app.db.statements.rows import rows_of
from app.db.statements.sessions import LIMIT_WAIT_FOR_LOCKS
from app.db.statements.slice_claims import (
    ADD_FAILED_TO_SLICE,
    FIND_STALE_CLAIMS,
    LOCK_STALE_CLAIM,
    TAKE_CLAIM,
    ClaimedRow,
    stale_claim,
)
from app.db.statements.workers import FIND_WORKERS_HERE, WorkerHere
from workers.engine.outcome.regroup import regroup, take_again
from workers.engine.process.heartbeat import this_machine
from workers.engine.process.sessions import end_sessions

log = structlog.get_logger(__name__)

POISON_AFTER = 4
# Seconds that one call goes on.
_TAKE_FOR = 4.0


def take_over_dead_claims(engine: Engine, *, stale_seconds: float | None) -> int:
    """Take every claim whose worker is gone or silent for `stale_seconds`; returns how many.

    `stale_seconds`: None where silence says nothing, as no heartbeat could be written. Each in a
    transaction of its own: one that cannot be taken, as its items are locked, is left to a later
    call, and so is what there is no time for.
    """
    until = time.monotonic() + _TAKE_FOR
    with transaction(engine) as connection:
        # Processes of the sweep's own machine can be looked up, without waiting for a silence.
        where = {"machine": this_machine()}
        here = rows_of(WorkerHere, connection.execute(FIND_WORKERS_HERE, where))
        gone = [worker.id for worker in here if _is_gone(worker)]
        rows = connection.execute(FIND_STALE_CLAIMS, {"stale": stale_seconds, "gone": gone}).all()
        claims = [stale_claim(row) for row in rows]
        end_sessions(connection, {one.slice.worker_id for one in claims if one.slice.worker_id})
    # In any order, so that none is always behind those that cannot be taken.
    random.shuffle(claims)
    taken = 0
    for one in claims:
        if time.monotonic() > until:
            break
        try:
            with transaction(engine) as connection:
                connection.execute(LIMIT_WAIT_FOR_LOCKS)
                taken += _take_over(connection, one.slice, one.ended)
        except (SQLAlchemyError, BatchlineError) as error:
            batch, number = str(one.slice.batch_id), one.slice.number
            log.warning("claim.not_taken_over", batch=batch, slice=number, error=str(error))
    return taken


def _is_gone(worker: WorkerHere) -> bool:
    """Whether the process has ended and, if its parent lives, the parent has noted why."""
    if Path(f"/proc/{worker.pid}").exists():
        return False
    parent_lives = worker.main_pid is not None and Path(f"/proc/{worker.main_pid}").exists()
    return worker.ended is not None or not parent_lives


def _take_over(connection: Connection, claimed: ClaimedRow, ended: str | None) -> bool:
    this = {"batch_id": claimed.batch_id, "wave": claimed.wave, "number": claimed.number}
    locked = connection.execute(LOCK_STALE_CLAIM, {**this, "claim": claimed.claim})
    if locked.one_or_none() is None:
        return False
    # Validation has no effects, so it is simply done again.
    state = "READY" if claimed.phase == "validate" else "DONE"
    connection.execute(TAKE_CLAIM, {**this, "state": state})
    if state == "DONE":
        failed = connection.execute(
            fail_poisonous_items(picked=claimed.picks is not None),
            {**held_by(claimed), "poison_after": POISON_AFTER, "ended": ended},
        ).rowcount
        if failed:
            group_items(connection, claimed.batch_id, claimed.first_index, claimed.last_index)
        how = f" ({ended})" if ended else ""
        again = take_again(connection, claimed, f"Its worker process died{how} while it was tried.")
        connection.execute(ADD_FAILED_TO_SLICE, {**this, "failed": failed})
        regroup(connection, claimed, again)
        log.warning(
            "claim.taken_over",
            batch=str(claimed.batch_id),
            slice=claimed.number,
            worker=str(claimed.worker_id),
            ended=ended,
            items_again=len(again),
            items_failed=failed,
        )
    return True
