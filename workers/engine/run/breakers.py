"""Breakers as a running slice sees them: asked of memory, told to Postgres only of what fails.

Each change is a short transaction of its own, since the slice's may be undone; it locks the
breaker, never a slice or an item. A database that is away changes nothing here: what cannot be told
is logged, and the slice has worse to deal with.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.batches.breakers.changing import close_by_probe, count, give_probe_back, pace, take_probe
from app.core.errors import BatchlineError
from app.core.ids import new_id
from app.db import transaction
from app.db.statements.breakers import LIST_OPEN_BREAKERS
from handlers import Breaker, Operation
from workers.engine.plan.woken import wake
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)

# Seconds beyond its operation's time limit after which a try is taken for lost.
_BESIDE = 5.0
# A message may be early: clocks differ, and timers are coarse.
_SLACK = 0.05


class SliceBreakers:
    """For a slice of `batch_id`, which is sent for when a breaker is due for its next try."""

    def __init__(self, runtime: Runtime, batch_id: UUID) -> None:
        self._runtime = runtime
        self._batch_id = batch_id

    @property
    def anything(self) -> bool:
        """Whether any breaker is open."""
        return self._runtime.breakers.anything

    def keeps(self, operation: str, base: str) -> tuple[int, bool] | None:
        """The number of the breaker that keeps such an item, and whether it is due for a try."""
        book = self._runtime.breakers
        found = book.keeps(operation, base)
        return None if found is None else (found.id, book.is_due(found))

    def take_probe(self, operation: Operation, breaker_id: int) -> SliceProbe | None:
        """The try, if it is to be this one."""
        token, worker = new_id(), self._runtime.heartbeat.worker_id
        lease = operation.timeout_seconds + _BESIDE

        def take(connection: Connection) -> bool:
            return take_probe(connection, breaker_id, token=token, worker=worker, lease=lease)

        if not self._change(take):
            return None
        rest = (operation.breaker or Breaker()).rest
        return SliceProbe(self, breaker_id, token, float(rest))

    def note(self, operation: Operation, base: str, *, succeeded: int, failed: int) -> None:
        """So many items of an operation that has a breaker were tried."""
        counted = self._runtime.breakers.note(operation, base, succeeded=succeeded, failed=failed)
        if not failed:
            return
        worker = self._runtime.heartbeat.worker_id
        stale = self._runtime.settings.heartbeat_timeout
        if self._change(lambda connection: count(connection, counted, worker=worker, stale=stale)):
            self._come_again(float(counted.breaker.rest))

    def pace(self, operation: Operation, base: str, seconds: float) -> None:
        """Whoever is called wants nothing more for so long."""
        if self._runtime.breakers.is_paced(operation.name, base, seconds):
            return

        def keep(connection: Connection) -> bool:
            pace(connection, operation.name, base, seconds)
            return True

        if self._change(keep):
            self._come_again(seconds)

    def _change(self, change: Callable[[Connection], bool]) -> bool:
        """Make the change, and see what is open now; False where it could not be made."""
        book = self._runtime.breakers
        try:
            with transaction(self._runtime.engine) as connection:
                done = change(connection)
                began = book.now()
                opened = connection.execute(LIST_OPEN_BREAKERS).scalar_one()
        except (SQLAlchemyError, BatchlineError) as error:
            log.warning("breaker.not_told", batch=str(self._batch_id), error=str(error))
            return False
        book.saw(opened, began=began)
        return done

    def _come_again(self, seconds: float) -> None:
        self._runtime.send_advance(self._batch_id, seconds + _SLACK)

    def closed(self, breaker_id: int, token: UUID) -> None:
        """The try came through."""
        if self._change(lambda connection: close_by_probe(connection, breaker_id, token=token)):
            try:
                wake(self._runtime)
            except (SQLAlchemyError, BatchlineError) as error:
                log.warning("breaker.nobody_woken", error=str(error))  # the sweep does it

    def given_back(self, breaker_id: int, token: UUID, seconds: float | None, rest: float) -> None:
        """The try did not: the next is in so many seconds, or after the rest."""

        def give(connection: Connection) -> bool:
            give_probe_back(connection, breaker_id, token=token, seconds=seconds)
            return True

        self._change(give)
        self._come_again(rest if seconds is None else seconds)


class SliceProbe:
    """One item's try. See workers/engine/run/gate.py."""

    def __init__(self, breakers: SliceBreakers, breaker_id: int, token: UUID, rest: float) -> None:
        self.breaker_id = breaker_id
        self._breakers = breakers
        self._token = token
        self._rest = rest

    def came_through(self) -> None:
        """All is well."""
        self._breakers.closed(self.breaker_id, self._token)

    def failed(self) -> None:
        """It is not."""
        self._breakers.given_back(self.breaker_id, self._token, None, self._rest)

    def said_nothing(self, *, after: float) -> None:
        """It cannot be told by this item; another may try after so many seconds."""
        self._breakers.given_back(self.breaker_id, self._token, after, self._rest)
