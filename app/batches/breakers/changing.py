"""A breaker opens, is tried, and closes: each in the transaction of whoever caused it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import Connection

from app.batches.breakers.telling import tell
from app.core.lifecycle import BREAKER_CLOSED, BREAKER_OPEN
from app.db.statements.breakers import (
    ADD_BREAKER_FAILURES,
    CLOSE_BREAKER,
    COUNT_TRIES,
    END_PACE,
    FORGET_FAILURES,
    GIVE_PROBE_BACK,
    LOCK_BREAKER,
    LOCK_OPEN_BREAKERS,
    LOCK_PROBE,
    OPEN_BREAKER_BY_HAND,
    PACE_BREAKER,
    TAKE_PROBE,
    TRIP_BREAKER,
    BreakerRow,
    Tries,
)
from app.db.statements.rows import row_of, rows_of
from app.webhooks import recording as webhooks
from handlers import Breaker

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Counted:
    """Tries of one operation and base that a process has made: what it is to tell the others.

    `failed`: those that it has not told yet, one at least. `succeeded`: all of its own within the
    breaker's window.
    """

    operation: str
    base: str
    breaker: Breaker
    failed: int
    succeeded: int


def count(connection: Connection, counted: Counted, *, worker: UUID, stale: float) -> bool:
    """Count what failed, and open the breaker where it is too much; whether it has opened by it.

    `worker`: whose tries these are. `stale`: seconds of silence by which another is dead. One that
    is not closed counts nothing: what fails now was under way before.
    """
    names = {"operation": counted.operation, "base": counted.base}
    row = row_of(BreakerRow, connection.execute(LOCK_BREAKER, names))
    assert row is not None  # noqa: S101 (it is made where there is none)
    if row.status != BREAKER_CLOSED:
        return False
    window = {"id": row.id, "within": float(counted.breaker.within)}
    connection.execute(ADD_BREAKER_FAILURES, {**window, "failed": counted.failed})
    told = {
        **window,
        "name": name_of(counted.operation, counted.base),
        "worker": worker,
        "stale": stale,
    }
    tries = row_of(Tries, connection.execute(COUNT_TRIES, told))
    assert tries is not None  # noqa: S101 (sums are always a row)
    tried = tries.failed + tries.succeeded + counted.succeeded
    if not counted.breaker.reached(failed=tries.failed, tried=tried):
        return False
    rest = float(counted.breaker.rest)
    at = connection.execute(TRIP_BREAKER, {"id": row.id, "rest": rest}).scalar_one()
    connection.execute(FORGET_FAILURES, {"id": row.id})
    log.warning(
        "breaker.opened", **names, failed=tries.failed, tried=tried, within=window["within"]
    )
    tell(connection, webhooks.BREAKER_OPENED, row, at)
    return True


def name_of(operation: str, base: str) -> str:
    """By what workers tell of tries that went well. A name of an operation has no blanks."""
    return f"{operation} {base}"


def pace(connection: Connection, operation: str, base: str, seconds: float) -> None:
    """Whoever is called wants to be left alone for so long: nothing begins before."""
    names = {"operation": operation, "base": base}
    row = row_of(BreakerRow, connection.execute(LOCK_BREAKER, names))
    assert row is not None  # noqa: S101 (it is made where there is none)
    connection.execute(PACE_BREAKER, {"id": row.id, "seconds": seconds})
    log.info("breaker.paced", **names, seconds=seconds)


def take_probe(
    connection: Connection, breaker_id: int, *, token: UUID, worker: UUID, lease: float
) -> bool:
    """Whether the caller is the one who may try an item now.

    `lease`: seconds that it has for it at most; then another may.
    """
    values = {"id": breaker_id, "token": token, "worker": worker, "lease": lease}
    return connection.execute(TAKE_PROBE, values).one_or_none() is not None


def give_probe_back(
    connection: Connection, breaker_id: int, *, token: UUID, seconds: float | None = None
) -> None:
    """The item that was tried failed too, or said nothing: the next may be in so many seconds.

    None: after the breaker's rest.
    """
    values = {"id": breaker_id, "token": token, "seconds": seconds}
    connection.execute(GIVE_PROBE_BACK, values)


def close_by_probe(connection: Connection, breaker_id: int, *, token: UUID) -> bool:
    """The item that was tried has come through: all may begin. Whether it has closed by it."""
    this = {"id": breaker_id, "token": token}
    row = row_of(BreakerRow, connection.execute(LOCK_PROBE, this))
    if row is None:
        return False
    _close(connection, row)
    return True


def open_by_hand(connection: Connection, operation: str, base: str) -> bool:
    """Nothing of the operation, or of that base of it, begins until it is closed by hand.

    Whether that is new.
    """
    names = {"operation": operation, "base": base}
    row = row_of(BreakerRow, connection.execute(LOCK_BREAKER, names))
    assert row is not None  # noqa: S101 (it is made where there is none)
    if row.status == BREAKER_OPEN and row.by_hand:
        return False
    at = connection.execute(OPEN_BREAKER_BY_HAND, {"id": row.id}).scalar_one()
    connection.execute(FORGET_FAILURES, {"id": row.id})
    if row.status == BREAKER_CLOSED:
        tell(connection, webhooks.BREAKER_OPENED, row, at)
    log.warning("breaker.opened_by_hand", **names)
    return True


def close_by_hand(connection: Connection, operation: str, base: str | None) -> bool:
    """Let items begin: of that base, or of all of the operation. Whether any had been kept."""
    names = {"operation": operation, "base": base}
    rows = rows_of(BreakerRow, connection.execute(LOCK_OPEN_BREAKERS, names))
    for row in rows:
        connection.execute(END_PACE, {"id": row.id})
        if row.status != BREAKER_CLOSED:
            _close(connection, row)
    return bool(rows)


def _close(connection: Connection, row: BreakerRow) -> None:
    at = connection.execute(CLOSE_BREAKER, {"id": row.id}).scalar_one()
    connection.execute(FORGET_FAILURES, {"id": row.id})
    tell(connection, webhooks.BREAKER_CLOSED, row, at)
    log.info("breaker.closed", operation=row.operation, base=row.base)
