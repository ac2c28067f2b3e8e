"""Limits of an operation over all workers: how many calls at once, how many items a second.

Postgres is the only place that knows, so whoever claims a slice of such an operation locks the
operation's row first. A slice that may not run now stays READY and costs no worker anything:

- for want of a place (concurrency) it is parked, and the slice that gives a place back sends the
  one that has waited longest; the sweep does it where nobody did;
- for the rate it gets a moment of its own behind those that wait already, and its message comes
  then. One far off is sent by the sweep.

A claim that a dead worker still holds counts until it is taken over: too few is safe.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text

from app.messaging.broker import LONGEST_COUNTDOWN
from handlers import Operation, Registry

# A message may be a little early: clocks differ, and timers are coarse.
_SLACK = 0.02

_LOOK = text(
    """
    SELECT s.limited FROM slices s JOIN batches b ON b.id = s.batch_id
    WHERE s.batch_id = :batch_id AND s.wave = :wave AND s.number = :number AND s.state = 'READY'
      AND s.limited IS NOT NULL AND b.status = 'RUNNING' AND b.stopping IS NULL
    """
)
_MAKE_GATE = text(
    "INSERT INTO operation_gates (operation) VALUES (:operation) ON CONFLICT DO NOTHING"
)
# Seconds: how long until the rate lets the next item begin; negative if it already does.
_LOCK_GATE = text(
    """
    SELECT extract(epoch FROM free_at - clock_timestamp()) FROM operation_gates
    WHERE operation = :operation FOR UPDATE
    """
)
_LOCK_SLICE = text(
    """
    SELECT size, queue, first_index, last_index, operation, limited,
           extract(epoch FROM not_before - clock_timestamp()) AS early
    FROM slices
    WHERE batch_id = :batch_id AND wave = :wave AND number = :number AND state = 'READY'
    FOR UPDATE
    """
)
_RUNNING = text(
    "SELECT count(*) FROM slices WHERE state = 'CLAIMED' AND limited @> ARRAY[:operation]"
)
_WAITING_ITEMS = text(
    """
    SELECT coalesce(sum(s.size), 0) FROM slices s JOIN batches b ON b.id = s.batch_id
    WHERE s.state = 'READY' AND s.limited @> ARRAY[:operation] AND s.not_before > clock_timestamp()
      AND b.status = 'RUNNING' AND b.stopping IS NULL
    """
)
_TAKE_TURN = text(
    """
    UPDATE operation_gates
    SET free_at = greatest(free_at, clock_timestamp()) + make_interval(secs => :seconds)
    WHERE operation = :operation
    """
)
_PARK = text(
    """
    UPDATE slices SET parked_at = coalesce(parked_at, clock_timestamp())
    WHERE batch_id = :batch_id AND wave = :wave AND number = :number
    """
)
_PUT_OFF = text(
    """
    UPDATE slices SET not_before = clock_timestamp() + make_interval(secs => :seconds),
                      sent_at = CASE WHEN :seconds > :longest THEN '-infinity'
                                ELSE clock_timestamp() + make_interval(secs => :seconds) END
    WHERE batch_id = :batch_id AND wave = :wave AND number = :number
    """
)
_PARKED_OPERATIONS = text(
    "SELECT DISTINCT unnest(limited) AS operation FROM slices WHERE parked_at IS NOT NULL"
)
_RELEASE = text(
    """
    WITH next AS (
        SELECT s.batch_id, s.wave, s.number FROM slices s JOIN batches b ON b.id = s.batch_id
        WHERE s.state = 'READY' AND s.parked_at IS NOT NULL AND s.limited @> ARRAY[:operation]
          AND b.status = 'RUNNING' AND b.stopping IS NULL
        ORDER BY s.parked_at LIMIT :places FOR UPDATE OF s SKIP LOCKED
    )
    UPDATE slices s SET parked_at = NULL, sent_at = now() FROM next n
    WHERE s.batch_id = n.batch_id AND s.wave = n.wave AND s.number = n.number
    RETURNING s.batch_id, s.wave, s.number, s.first_index, s.last_index, s.size, s.queue,
              s.operation, s.limited
    """
)


@dataclass(frozen=True, slots=True)
class Refused:
    """The slice may not run now.

    `slice_row`: its row, to be sent again after `delay` seconds; None where it is parked, or its
    message is on the way.
    """

    slice_row: Row[Any] | None = None
    delay: float = 0.0


def pass_limits(
    connection: Connection, registry: Registry, batch_id: UUID, wave: int, number: int
) -> Refused | Literal[True] | None:
    """True, with the turn taken, where the limits let the slice run; None if it cannot be claimed.

    The slice and the operations' rows stay locked until the transaction ends, so that what is
    counted here cannot change before the claim.
    """
    this = {"batch_id": batch_id, "wave": wave, "number": number}
    found = connection.execute(_LOOK, this).one_or_none()
    if found is None:
        return None
    operations = [registry.get(name) for name in sorted(found.limited)]
    limited = [operation for operation in operations if operation is not None]
    free_in = {operation.name: _lock(connection, operation.name) for operation in limited}
    row = connection.execute(_LOCK_SLICE, this).one_or_none()
    if row is None:
        return None
    if row.early is not None and row.early > _SLACK:
        return Refused()
    for operation in limited:
        if _places(connection, operation) < 1:
            connection.execute(_PARK, this)
            return Refused()
    paced = [operation for operation in limited if operation.rate_limit is not None]
    if any(free_in[operation.name] > _SLACK for operation in paced):
        delay = max(_turn(connection, operation, free_in[operation.name]) for operation in paced)
        connection.execute(_PUT_OFF, {**this, "seconds": delay, "longest": LONGEST_COUNTDOWN})
        return Refused(row, delay)
    for operation in paced:
        assert operation.rate_limit is not None  # noqa: S101 (chosen by it)
        seconds = row.size / operation.rate_limit
        connection.execute(_TAKE_TURN, {"operation": operation.name, "seconds": seconds})
    return True


def release_parked(
    connection: Connection, registry: Registry, operations: Iterable[str] | None = None
) -> list[Row[Any]]:
    """The slices for which there is a place now, no longer parked: they have to be sent.

    `operations`: those that may have one; all that have parked slices by default.
    """
    if operations is None:
        operations = connection.execute(_PARKED_OPERATIONS).scalars().all()
    released: list[Row[Any]] = []
    for name in sorted(operations):
        operation = registry.get(name)
        if operation is None:
            continue
        _lock(connection, name)
        places = _places(connection, operation)
        if places > 0:
            released += connection.execute(_RELEASE, {"operation": name, "places": places})
    return released


def _lock(connection: Connection, operation: str) -> float:
    free_in = connection.execute(_LOCK_GATE, {"operation": operation}).scalar_one_or_none()
    if free_in is None:
        connection.execute(_MAKE_GATE, {"operation": operation})
        free_in = connection.execute(_LOCK_GATE, {"operation": operation}).scalar_one()
    return float(free_in)


def _places(connection: Connection, operation: Operation) -> int:
    """How many more of its slices may run now."""
    if operation.concurrency is None:
        return _ANY_NUMBER
    running = connection.execute(_RUNNING, {"operation": operation.name}).scalar_one()
    return operation.concurrency - int(running)


_ANY_NUMBER = 1_000


def _turn(connection: Connection, operation: Operation, free_in: float) -> float:
    """Seconds until it is the turn of whoever comes now."""
    assert operation.rate_limit is not None  # noqa: S101 (only called for those that have one)
    waiting = connection.execute(_WAITING_ITEMS, {"operation": operation.name}).scalar_one()
    return max(0.0, free_in) + int(waiting) / operation.rate_limit
