"""Limits of an operation over all workers: how many calls at once, how many items a second.

Only Postgres knows what all workers do, so a worker that claims a slice of such an operation locks
the operation's row first. A slice that may not run now stays READY and costs no worker anything:

- if there is no place (concurrency) it is parked. A slice that gives its place back sends the one
  that has waited longest; if that failed, the sweep does;
- if its turn has not come (rate) it gets a time behind those that wait already, and its message is
  delayed until then. If that is far off, the sweep sends it.

A claim that a dead worker still holds counts until it is taken over; that only runs too few.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection

from app.db.statements.operations import CREATE_GATE, LOCK_GATE, TAKE_TURN
from app.db.statements.rows import row_of, rows_of
from app.db.statements.slice_limits import (
    COUNT_ITEMS_IN_LINE,
    COUNT_RUNNING_SLICES,
    FIND_LIMITS_OF_SLICE,
    FIND_PARKED_OPERATIONS,
    LOCK_READY_SLICE,
    PARK_SLICE,
    PUT_OFF_SLICE,
    RELEASE_PARKED_SLICES,
    ReadySlice,
)
from app.db.statements.slices import SentSlice
from app.messaging.broker import LONGEST_COUNTDOWN
from handlers import Operation, Registry

# A message may be a little early: clocks differ, and timers are coarse.
_SLACK = 0.02


@dataclass(frozen=True, slots=True)
class Refused:
    """The slice may not run now.

    `slice_row`: its row, to be sent again after `delay` seconds; None where it is parked, or its
    message is on the way.
    """

    slice_row: ReadySlice | None = None
    delay: float = 0.0


def pass_limits(
    connection: Connection, registry: Registry, batch_id: UUID, wave: int, number: int
) -> Refused | Literal[True] | None:
    """True if the limits let the slice run, its turn then taken; None if it cannot be claimed.

    The slice and the operations' rows stay locked until the transaction ends, so that what is
    counted here cannot change before the claim.
    """
    this = {"batch_id": batch_id, "wave": wave, "number": number}
    limits: list[str] | None = connection.execute(FIND_LIMITS_OF_SLICE, this).scalar_one_or_none()
    if limits is None:
        return None
    operations = [registry.get(name) for name in sorted(limits)]
    limited = [operation for operation in operations if operation is not None]
    free_in = {operation.name: _lock(connection, operation.name) for operation in limited}
    row = row_of(ReadySlice, connection.execute(LOCK_READY_SLICE, this))
    if row is None:
        return None
    if row.early is not None and row.early > _SLACK:
        return Refused()
    for operation in limited:
        if _places(connection, operation) < 1:
            connection.execute(PARK_SLICE, this)
            return Refused()
    paced = [operation for operation in limited if operation.rate_limit is not None]
    if any(free_in[operation.name] > _SLACK for operation in paced):
        delay = max(_turn(connection, operation, free_in[operation.name]) for operation in paced)
        connection.execute(PUT_OFF_SLICE, {**this, "seconds": delay, "longest": LONGEST_COUNTDOWN})
        return Refused(row, delay)
    for operation in paced:
        assert operation.rate_limit is not None  # noqa: S101 (chosen by it)
        seconds = row.size / operation.rate_limit
        connection.execute(TAKE_TURN, {"operation": operation.name, "seconds": seconds})
    return True


def release_parked(
    connection: Connection, registry: Registry, operations: Iterable[str] | None = None
) -> list[SentSlice]:
    """Unpark the slices for which there is a place now. The caller has to send them.

    `operations`: where to look; by default all operations that have parked slices.
    """
    if operations is None:
        operations = connection.execute(FIND_PARKED_OPERATIONS).scalars().all()
    released: list[SentSlice] = []
    for name in sorted(operations):
        operation = registry.get(name)
        if operation is None:
            continue
        _lock(connection, name)
        places = _places(connection, operation)
        if places > 0:
            these = {"operation": name, "places": places}
            released += rows_of(SentSlice, connection.execute(RELEASE_PARKED_SLICES, these))
    return released


def _lock(connection: Connection, operation: str) -> float:
    free_in = connection.execute(LOCK_GATE, {"operation": operation}).scalar_one_or_none()
    if free_in is None:
        connection.execute(CREATE_GATE, {"operation": operation})
        free_in = connection.execute(LOCK_GATE, {"operation": operation}).scalar_one()
    return float(free_in)


def _places(connection: Connection, operation: Operation) -> int:
    """How many more slices of the operation may run now."""
    if operation.concurrency is None:
        return _ANY_NUMBER
    running = connection.execute(COUNT_RUNNING_SLICES, {"operation": operation.name}).scalar_one()
    return operation.concurrency - int(running)


_ANY_NUMBER = 1_000


def _turn(connection: Connection, operation: Operation, free_in: float) -> float:
    """Seconds until the turn of a slice that asks now."""
    assert operation.rate_limit is not None  # noqa: S101 (only called for those that have one)
    waiting = connection.execute(COUNT_ITEMS_IN_LINE, {"operation": operation.name}).scalar_one()
    return max(0.0, free_in) + int(waiting) / operation.rate_limit
