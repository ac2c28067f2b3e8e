"""Watching batches: many callers at once, at the cost of one.

One thread of the process looks for all of them, in one transaction; those who wait hold neither a
connection nor a transaction. It looks when it is called (`calling`), and from time to time
without: soon for a batch that has just been asked for, later for one that has been waited for a
while. So a call that is lost, or a Redis that is away, makes an answer late by a second at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog
from redis import Redis, RedisError
from redis.client import PubSub
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.batches.batch_view import BATCH_COLUMNS, BatchView, batch_view
from app.core.errors import BatchlineError
from app.db import transaction
from app.db.statements.batch_views import SELECT_UNFINISHED, select_followed_batches
from app.events.notify import CHANNEL, notified

log = structlog.get_logger(__name__)

# Seconds between two looks at one batch: the least, however often it is called, and the most.
_SOONEST = 0.01
_LATEST = 0.25
_FOLLOWED_SOONEST = 0.25
_FOLLOWED_LATEST = 1.0
_AFTER_TROUBLE = 1.0
_LISTEN = 1.0
_FOLLOWED = select_followed_batches(BATCH_COLUMNS)


@dataclass(slots=True)
class _Watch:
    """Those who watch one batch. `waiting` only for its end, `following` for all that changes.

    Times are monotonic. `view` is the latest, where somebody follows; `ended` (or gone) is final.
    """

    since: float
    look_at: float
    changed: threading.Condition
    looked: float = 0.0
    noted: float = 0.0
    waiting: int = 0
    following: int = 0
    view: BatchView | None = None
    ended: bool = False
    gone: bool = False

    def next_look(self, now: float) -> float:
        """When to look again without being called."""
        waited = (now - self.since) / 10
        if self.waiting:
            return now + min(_LATEST, max(_SOONEST, waited))
        return now + min(_FOLLOWED_LATEST, max(_FOLLOWED_SOONEST, waited))


class BatchWatch:
    """One a process; safe to share between its threads.

    `most`: how many may wait or follow at once. The next one is answered without waiting, so that
    they never take every thread there is. `alive`: says whether the process goes on; when it does
    not, everybody is let go.
    """

    def __init__(
        self,
        engine: Engine,
        redis: Redis | None = None,
        *,
        most: int,
        alive: Callable[[], bool] = lambda: True,
    ) -> None:
        self._engine = engine
        self._redis = redis
        self._alive = alive
        self._places = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._watches: dict[UUID, _Watch] = {}
        self._looking = False
        self._listening = False

    def wait(self, batch_id: UUID, seconds: float) -> bool:
        """Hold until the batch has ended (or is gone), at most `seconds`; whether it has.

        False at once where too many watch already.
        """
        if seconds <= 0 or not self._places.acquire(blocking=False):
            return False
        try:
            with self._lock:
                watch = self._join(batch_id)
                watch.waiting += 1
                try:
                    return (
                        watch.changed.wait_for(lambda: watch.ended or not self._alive(), seconds)
                        and watch.ended
                    )
                finally:
                    watch.waiting -= 1
                    self._leave(batch_id, watch)
        finally:
            self._places.release()

    @contextmanager
    def follow(self, batch_id: UUID) -> Iterator[Following | None]:
        """Follow a batch for as long as the block lasts; None where too many watch already."""
        if not self._places.acquire(blocking=False):
            yield None
            return
        try:
            with self._lock:
                watch = self._join(batch_id)
                watch.following += 1
                watch.look_at = time.monotonic()
            try:
                yield Following(watch, self._lock, self._alive)
            finally:
                with self._lock:
                    watch.following -= 1
                    self._leave(batch_id, watch)
        finally:
            self._places.release()

    def _join(self, batch_id: UUID) -> _Watch:
        """The watch of the batch, made where there is none; the lock is held."""
        watch = self._watches.get(batch_id)
        if watch is None:
            now = time.monotonic()
            changed = threading.Condition(self._lock)
            watch = self._watches[batch_id] = _Watch(now, now + _SOONEST, changed)
        if not self._looking:
            self._looking = True
            threading.Thread(target=self._look, name="batch-watch", daemon=True).start()
        if self._redis is not None and not self._listening:
            self._listening = True
            threading.Thread(
                target=self._listen, args=(self._redis,), name="batch-calls", daemon=True
            ).start()
        self._news.notify()
        return watch

    def _leave(self, batch_id: UUID, watch: _Watch) -> None:
        unwatched = not watch.waiting and not watch.following
        if unwatched and self._watches.get(batch_id) is watch:
            del self._watches[batch_id]

    def _look(self) -> None:
        """The thread that looks, as long as somebody watches."""
        while True:
            with self._lock:
                if not self._watches:
                    self._looking = False
                    return
                pause = min(watch.look_at for watch in self._watches.values()) - time.monotonic()
                if pause > 0:
                    self._news.wait(min(pause, _FOLLOWED_LATEST))
                if not self._alive():
                    for watch in self._watches.values():
                        watch.changed.notify_all()
                now = time.monotonic()
                due = {
                    batch_id: bool(watch.following)
                    for batch_id, watch in self._watches.items()
                    if watch.look_at <= now
                }
            if due:
                self._look_at(due)

    def _look_at(self, due: dict[UUID, bool]) -> None:
        """Look at these; True for those that are followed."""
        try:
            with transaction(self._engine) as connection:
                plain = [batch_id for batch_id, followed in due.items() if not followed]
                unfinished = _unfinished(connection, plain) if plain else set()
                followed = [batch_id for batch_id, followed in due.items() if followed]
                views = _views(connection, followed) if followed else {}
        except (SQLAlchemyError, BatchlineError) as error:
            log.warning("watch.look_failed", error=str(error))
            with self._lock:
                for delayed in self._watches.values():
                    delayed.look_at = time.monotonic() + _AFTER_TROUBLE
            return
        now = time.monotonic()
        with self._lock:
            for batch_id, followed_ in due.items():
                watch = self._watches.get(batch_id)
                if watch is None or (watch.following and not followed_):
                    continue  # or one who follows has come meanwhile: there is a next look
                watch.looked, watch.look_at = now, watch.next_look(now)
                if followed_:
                    _note_view(watch, views.get(batch_id), now)
                else:
                    watch.ended = batch_id not in unfinished
                if watch.ended:
                    # Whoever comes after this (a batch can begin again) begins a watch of its own.
                    del self._watches[batch_id]
                    watch.changed.notify_all()

    def _listen(self, redis: Redis) -> None:
        """The thread that hears calls, as long as somebody watches."""
        subscription: Callable[..., PubSub] = redis.pubsub
        while self._watched():
            try:
                with subscription(ignore_subscribe_messages=True) as calls:
                    calls.subscribe(CHANNEL)
                    while self._watched():
                        message = calls.get_message(timeout=_LISTEN)
                        if message is not None:
                            self._hear(message["data"])
            except RedisError as error:
                log.warning("watch.not_listening", error=str(error))
                time.sleep(_AFTER_TROUBLE)

    def _watched(self) -> bool:
        """Whether anybody watches. The listener ends where nobody does."""
        with self._lock:
            self._listening = bool(self._watches)
            return self._listening

    def _hear(self, message: bytes) -> None:
        batch_id = notified(message)
        if batch_id is None:
            return
        with self._lock:
            watch = self._watches.get(batch_id)
            if watch is None:
                return
            soonest = _FOLLOWED_SOONEST if watch.following else _SOONEST
            look_at = watch.looked + soonest
            if look_at < watch.look_at:
                watch.look_at = look_at
                self._news.notify()


def _unfinished(connection: Connection, batch_ids: list[UUID]) -> set[UUID]:
    """Those of the batches that have not ended."""
    return set(connection.execute(SELECT_UNFINISHED, {"ids": batch_ids}).scalars())


def _views(connection: Connection, batch_ids: list[UUID]) -> dict[UUID, BatchView]:
    """The batches as they are now, as far as they are there."""
    rows = connection.execute(_FOLLOWED, {"ids": batch_ids}).mappings()
    return {batch.id: batch for batch in map(batch_view, rows)}


def _note_view(watch: _Watch, view: BatchView | None, now: float) -> None:
    """Show the batch to those who follow, but only so often, however often it is looked at."""
    watch.gone = view is None
    watch.ended = view is None or view.ended
    if view == watch.view or (not watch.ended and now - watch.noted < _FOLLOWED_SOONEST):
        return
    watch.view, watch.noted = view, now
    watch.changed.notify_all()


class Following:
    """What somebody who follows a batch sees of it."""

    def __init__(self, watch: _Watch, lock: threading.Lock, alive: Callable[[], bool]) -> None:
        self._watch = watch
        self._lock = lock
        self._alive = alive
        self._seen: BatchView | None = None

    @property
    def over(self) -> bool:
        """Whether there is nothing more to see: the batch is gone, or the process stops."""
        return self._watch.gone or not self._alive()

    def next(self, seconds: float) -> BatchView | None:
        """The batch as it is now, once that is not what was seen last; None if `seconds` pass."""
        watch = self._watch
        with self._lock:
            watch.changed.wait_for(lambda: watch.view is not self._seen or self.over, seconds)
            if watch.view is self._seen:
                return None
            self._seen = watch.view
            return watch.view
