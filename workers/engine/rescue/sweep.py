"""The sweep: repairs whatever a crash, a lost message or a restart left behind.

Beat sends it every second or so; where beat is away, workers do it by themselves, though not so
often (workers/sweeping.py). It looks at everything that is unfinished, not at a window of
time, and costs as much as there are unfinished batches. Every repair is idempotent. If a sweep is
under way already, the second one ends at once.

It has parts that do not know each other. Each is bounded, works in short transactions of its own,
and passes over rows that somebody else holds; what it could not do is for the next sweep. One that
fails is logged, and keeps none of the others from its work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

import structlog
from sqlalchemy import Connection

from app.audit.retention import forget_old
from app.batches.ended_items import condense
from app.batches.retention import remove_expired
from app.clients.idempotency_keys import forget_expired
from app.db import transaction
from app.db.statements.breakers import END_LOST_PROBES
from app.db.statements.long_work import SEND_FOR_WORK
from app.db.statements.rows import rows_of
from app.db.statements.sessions import COMMIT_UNHURRIED, LIMIT_WAIT_FOR_LOCKS
from app.db.statements.slice_limits import FIND_PARKED_OPERATIONS
from app.db.statements.slices import (
    COUNT_WAITING_SLICES,
    SEND_LOST_SLICES,
    QueuedSlices,
    SentSlice,
)
from app.db.statements.sweeps import (
    KEEP_SWEEP_LOCK,
    LIMIT_SILENCE_OF_SWEEP,
    NOTE_SWEEP,
    TRY_SWEEP_LOCK,
)
from app.db.statements.turns import (
    FIND_WAITING_BATCHES,
    MARK_IDLE_BATCHES,
    START_SCHEDULED_BATCHES,
    WaitingBatch,
)
from app.db.statements.waiting_for_breakers import WAKE_FOR_PROBES
from app.db.statements.workers import DELETE_GONE_WORKERS
from workers.engine.plan.waves import planned
from workers.engine.plan.woken import wake
from workers.engine.planned_slice import PlannedSlice
from workers.engine.rescue.sent_turns import MOST_SENT, send_turns
from workers.engine.rescue.starving_workers import note_starving_workers
from workers.engine.rescue.takeover import take_over_dead_claims
from workers.engine.run.run_slice import send_released
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)

Part = Callable[[Runtime], int]
# Batches that begin in one transaction, and seconds that a sweep begins more of them.
_BEGIN_AT_ONCE = 200
_BEGIN_FOR = 5.0
# Seconds in line after which a batch's message may be lost.
_LONG_IN_LINE = 2.0


def sweep(runtime: Runtime, also: Mapping[str, Part] | None = None) -> dict[str, int]:
    """One round of repairs; how many of each kind. Nothing where another is at it.

    `also`: more parts, whose numbers are not told.
    """
    with transaction(runtime.engine) as lock:
        lock.execute(LIMIT_SILENCE_OF_SWEEP)
        if not lock.execute(TRY_SWEEP_LOCK).scalar_one():
            return {}
        done = {name: _try(runtime, lock, name, part) for name, part in _PARTS.items()}
        for name, part in (also or {}).items():
            _try(runtime, lock, name, part)
        lock.execute(COMMIT_UNHURRIED)
        lock.execute(NOTE_SWEEP)
    done = {name: number for name, number in done.items() if name not in _UNTOLD}
    if any(done.values()):
        log.info("sweep.repaired", **done)
    return done


def _try(runtime: Runtime, lock: Connection, name: str, part: Part) -> int:
    """What the part did; 0 where it failed. Raises Unavailable where the lock has been lost."""
    lock.execute(KEEP_SWEEP_LOCK)
    try:
        return part(runtime)
    except Exception as error:  # whatever it is, the others have work to do
        log.warning("sweep.part_failed", part=name, error=str(error), exc_info=error)
        return 0


@contextmanager
def _step(runtime: Runtime) -> Iterator[Connection]:
    """A transaction that waits for nobody's lock for long."""
    with transaction(runtime.engine) as connection:
        connection.execute(LIMIT_WAIT_FOR_LOCKS)
        yield connection


def _take_over(runtime: Runtime) -> int:
    return take_over_dead_claims(runtime.engine, stale_seconds=_silence_that_counts(runtime))


def _silence_that_counts(runtime: Runtime) -> float | None:
    """Seconds. While no heartbeat could be written, and until all have had time for one, none."""
    stale = runtime.settings.heartbeat_timeout
    return stale if runtime.heartbeat.could_be_written_for(stale) else None


def _start_scheduled(runtime: Runtime) -> int:
    number, until = 0, time.monotonic() + _BEGIN_FOR
    while time.monotonic() < until:
        with _step(runtime) as connection:
            at_once = {"at_once": _BEGIN_AT_ONCE}
            begun = rows_of(WaitingBatch, connection.execute(START_SCHEDULED_BATCHES, at_once))
        if not number:
            send_turns(runtime, begun, begin=True)
        number += len(begun)
        if len(begun) < _BEGIN_AT_ONCE:
            break
    return number


def _send_lost(runtime: Runtime) -> int:
    with _step(runtime) as connection:
        lost = _lost_slices(connection, runtime)
    for (batch_id, wave), slices in lost.items():
        runtime.send_wave(batch_id, wave, slices)
    return sum(map(len, lost.values()))


def _lost_slices(
    connection: Connection, runtime: Runtime
) -> dict[tuple[UUID, int], list[tuple[int, PlannedSlice]]]:
    resend_after = runtime.settings.resend_after
    short = []
    waiting = connection.execute(COUNT_WAITING_SLICES, {"resend_after": resend_after})
    for queued in rows_of(QueuedSlices, waiting):
        depth = runtime.queue_depth(queued.queue)
        if depth is not None and depth < queued.slices:
            short.append(queued.queue)
    waves: dict[tuple[UUID, int], list[tuple[int, PlannedSlice]]] = {}
    sent = connection.execute(SEND_LOST_SLICES, {"resend_after": resend_after, "short": short})
    for row in rows_of(SentSlice, sent):
        waves.setdefault((row.batch_id, row.wave), []).append((row.number, planned(row)))
    return waves


def _send_released(runtime: Runtime) -> int:
    """What waits for a place. An operation at a time: each has a lock of its own."""
    with _step(runtime) as connection:
        operations = list(connection.execute(FIND_PARKED_OPERATIONS).scalars())
    return sum(send_released(runtime, [operation]) for operation in operations)


def _advance_idle(runtime: Runtime) -> int:
    with _step(runtime) as connection:
        idle = rows_of(WaitingBatch, connection.execute(MARK_IDLE_BATCHES))
        these = {"seconds": _LONG_IN_LINE, "most": MOST_SENT}
        waiting = rows_of(WaitingBatch, connection.execute(FIND_WAITING_BATCHES, these))
    send_turns(runtime, idle + waiting)
    return len(idle)


def _end_lost_probes(runtime: Runtime) -> int:
    with _step(runtime) as connection:
        stale = {"stale": runtime.settings.heartbeat_timeout}
        return connection.execute(END_LOST_PROBES, stale).rowcount


def _wake_held(runtime: Runtime) -> int:
    woken = wake(runtime)
    with _step(runtime) as connection:
        due = rows_of(WaitingBatch, connection.execute(WAKE_FOR_PROBES))
    for batch in due:
        runtime.send_turn(batch.id, batch.queue)
    return woken


def _resume_long_work(runtime: Runtime) -> int:
    with _step(runtime) as connection:
        left_lying = list(connection.execute(SEND_FOR_WORK).scalars())
    for batch_id in left_lying:
        runtime.send_advance(batch_id, 0.0)
    return len(left_lying)


def _forget_workers(runtime: Runtime) -> int:
    stale = _silence_that_counts(runtime)
    if stale is None:
        return 0
    with _step(runtime) as connection:
        return int(connection.execute(DELETE_GONE_WORKERS, {"stale": stale}).scalar_one())


def _remove_expired(runtime: Runtime) -> int:
    with _step(runtime) as connection:
        return remove_expired(connection, days=runtime.settings.retention_days)


def _forget_keys(runtime: Runtime) -> int:
    with _step(runtime) as connection:
        return forget_expired(connection)


def _forget_audit(runtime: Runtime) -> int:
    with _step(runtime) as connection:
        return forget_old(connection, days=runtime.settings.audit_retention_days)


def _condense_history(runtime: Runtime) -> int:
    with _step(runtime) as connection:
        return condense(connection)


_PARTS: Mapping[str, Part] = {
    "claims_taken_over": _take_over,
    "schedules_started": _start_scheduled,
    "slices_sent_again": _send_lost,
    "slices_unparked": _send_released,
    "batches_advanced": _advance_idle,
    "long_work_resumed": _resume_long_work,
    "probes_ended": _end_lost_probes,
    "batches_woken": _wake_held,
    "batches_removed": _remove_expired,
    "workers_forgotten": _forget_workers,
    "workers_starving": note_starving_workers,
    "keys_forgotten": _forget_keys,
    "audit_forgotten": _forget_audit,
    "history_condensed": _condense_history,
}
# Housekeeping, which repairs nothing.
_UNTOLD = (
    "workers_forgotten",
    "workers_starving",
    "keys_forgotten",
    "audit_forgotten",
    "history_condensed",
)
