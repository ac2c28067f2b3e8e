"""Waiting for batches to end, by many callers at once, at the cost of one.

One thread of the process looks for all of them in a single statement; those who wait hold neither
a connection nor a transaction. It looks often for what has just been asked for, and seldom for
what has been waited for a while: a look comes at the latest a tenth of the time already waited
after the batch has ended, and never more than a quarter of a second.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from sqlalchemy import ARRAY, Engine, Uuid, bindparam, text
from sqlalchemy.exc import SQLAlchemyError

from app.db import transaction
from app.errors import BatchlineError

log = structlog.get_logger(__name__)

_SOONEST = 0.01
_LATEST = 0.25
_AFTER_TROUBLE = 1.0
_UNFINISHED = text(
    "SELECT id FROM batches WHERE id = ANY(:ids) AND finished_at IS NULL"
).bindparams(bindparam("ids", type_=ARRAY(Uuid())))


@dataclass(slots=True)
class _Watch:
    """Those who wait for one batch. `look_at`: when to look again (monotonic)."""

    since: float
    look_at: float
    waiting: int = 0
    ended: threading.Event = field(default_factory=threading.Event)


class EndWatch:
    """Tells when batches have ended (or are gone). One a process; safe to share.

    `most`: how many may wait at once. The next one is answered without waiting, so that those who
    wait never take every thread there is.
    """

    def __init__(self, engine: Engine, *, most: int) -> None:
        self._engine = engine
        self._places = threading.BoundedSemaphore(most)
        self._changed = threading.Condition()
        self._watches: dict[UUID, _Watch] = {}
        self._looking = False

    def wait(self, batch_id: UUID, seconds: float) -> bool:
        """Hold until the batch has ended, at most `seconds`; whether it has.

        False at once where too many wait already.
        """
        if seconds <= 0 or not self._places.acquire(blocking=False):
            return False
        try:
            watch = self._join(batch_id)
            try:
                return watch.ended.wait(seconds)
            finally:
                self._leave(batch_id, watch)
        finally:
            self._places.release()

    def _join(self, batch_id: UUID) -> _Watch:
        with self._changed:
            watch = self._watches.get(batch_id)
            if watch is None:
                now = time.monotonic()
                watch = self._watches[batch_id] = _Watch(now, now + _SOONEST)
            watch.waiting += 1
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._look, name="end-watch", daemon=True).start()
            self._changed.notify()
            return watch

    def _leave(self, batch_id: UUID, watch: _Watch) -> None:
        with self._changed:
            watch.waiting -= 1
            if not watch.waiting and self._watches.get(batch_id) is watch:
                del self._watches[batch_id]

    def _look(self) -> None:
        """The thread: looks as long as somebody waits."""
        while True:
            with self._changed:
                if not self._watches:
                    self._looking = False
                    return
                pause = min(watch.look_at for watch in self._watches.values()) - time.monotonic()
                if pause > 0:
                    self._changed.wait(pause)
                now = time.monotonic()
                due = [
                    batch_id for batch_id, watch in self._watches.items() if watch.look_at <= now
                ]
            if due:
                self._settle(due)

    def _settle(self, due: list[UUID]) -> None:
        pause = None
        unfinished = set(due)
        try:
            with transaction(self._engine) as connection:
                unfinished = set(connection.execute(_UNFINISHED, {"ids": due}).scalars())
        except (SQLAlchemyError, BatchlineError) as error:
            log.warning("wait.look_failed", error=str(error))
            pause = _AFTER_TROUBLE
        now = time.monotonic()
        with self._changed:
            for batch_id in due:
                watch = self._watches.get(batch_id)
                if watch is None:
                    continue
                if batch_id in unfinished:
                    waited = (now - watch.since) / 10
                    watch.look_at = now + (pause or min(_LATEST, max(_SOONEST, waited)))
                else:
                    watch.ended.set()
                    del self._watches[batch_id]
