"""Watching batches for many callers at once, at the cost of watching for one.

One thread of the process looks at all watched batches at once; callers that wait hold
neither a connection nor a transaction. It looks when it is notified (app/events/notify.py), and
without that at intervals that grow with the time a batch has been watched (watched_batch.py). So a
notification that is lost, or a Redis that is away, delays an answer by a second at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

import structlog
from redis import Redis, RedisError
from redis.client import PubSub
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.batches.batch_view import BATCH_COLUMNS, BatchView, batch_view
from app.batches.watched_batch import Following, WatchedBatch
from app.core.errors import BatchlineError
from app.db import read
from app.db.statements.batch_views import SELECT_UNFINISHED, select_followed_batches
from app.events.notify import CHANNEL, notified

log = structlog.get_logger(__name__)

# Seconds: the longest pause of the thread that looks, the pause after an error, and how long one
# wait for a notification lasts.
_LONGEST_PAUSE = 1.0
_AFTER_TROUBLE = 1.0
_LISTEN = 1.0
_FOLLOWED = select_followed_batches(BATCH_COLUMNS)


class BatchWatch:
    """What a process watches; safe to share between its threads.

    `most`: callers that may wait or follow at once. Further ones are answered without waiting, so
    that some threads are always free for other requests. `alive`: whether the process goes on; when
    it does not, all callers are let go. `clock`: a monotonic one, in seconds.
    """

    def __init__(
        self,
        engine: Engine,
        redis: Redis | None = None,
        *,
        most: int,
        alive: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._engine = engine
        self._redis = redis
        self._alive = alive
        self._places = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._watches: dict[UUID, WatchedBatch] = {}
        self._looking = False
        self._listening = False

    def wait(self, batch_id: UUID, seconds: float) -> bool:
        """Hold until the batch has ended (or is gone), at most `seconds`; whether it has.

        False at once if `most` callers watch already.
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
        """Follow a batch for as long as the block lasts; None if `most` callers watch already."""
        if not self._places.acquire(blocking=False):
            yield None
            return
        try:
            with self._lock:
                watch = self._join(batch_id)
                watch.following += 1
                watch.look_at = self._clock()
            try:
                yield Following(watch, self._lock, self._alive)
            finally:
                with self._lock:
                    watch.following -= 1
                    self._leave(batch_id, watch)
        finally:
            self._places.release()

    def _join(self, batch_id: UUID) -> WatchedBatch:
        """What is known of the batch, made if it is not watched yet. The caller holds the lock."""
        watch = self._watches.get(batch_id)
        if watch is None:
            watch = WatchedBatch(threading.Condition(self._lock), self._clock())
            self._watches[batch_id] = watch
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

    def _leave(self, batch_id: UUID, watch: WatchedBatch) -> None:
        unwatched = not watch.waiting and not watch.following
        if unwatched and self._watches.get(batch_id) is watch:
            del self._watches[batch_id]

    def _look(self) -> None:
        """The thread that looks at batches. Ends when no batch is watched."""
        while True:
            with self._lock:
                if not self._watches:
                    self._looking = False
                    return
                pause = min(watch.look_at for watch in self._watches.values()) - self._clock()
                if pause > 0:
                    self._news.wait(min(pause, _LONGEST_PAUSE))
                if not self._alive():
                    for watch in self._watches.values():
                        watch.changed.notify_all()
                now = self._clock()
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
            plain = [batch_id for batch_id, followed in due.items() if not followed]
            followed = [batch_id for batch_id, followed in due.items() if followed]
            unfinished = read(self._engine, partial(_unfinished, plain)) if plain else set()
            views = read(self._engine, partial(_views, followed)) if followed else {}
        except (SQLAlchemyError, BatchlineError) as error:
            log.warning("watch.look_failed", error=str(error))
            with self._lock:
                for delayed in self._watches.values():
                    delayed.look_at = self._clock() + _AFTER_TROUBLE
            return
        now = self._clock()
        with self._lock:
            for batch_id, followed_ in due.items():
                watch = self._watches.get(batch_id)
                if watch is None or (watch.following and not followed_):
                    continue  # a follower has joined since, so this look does not count
                watch.looked, watch.look_at = now, watch.next_look(now)
                if followed_:
                    watch.show(views.get(batch_id), now)
                else:
                    watch.ended = batch_id not in unfinished
                if watch.ended:
                    # The batch can begin again: callers that come later watch it anew.
                    del self._watches[batch_id]
                    watch.changed.notify_all()

    def _listen(self, redis: Redis) -> None:
        """The thread that receives notifications. Ends when no batch is watched."""
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
        """Whether a batch is watched. If none is, `_listen` ends, and says so here."""
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
            soonest = watch.soonest_look
            if soonest < watch.look_at:
                watch.look_at = soonest
                self._news.notify()


def _unfinished(batch_ids: list[UUID], connection: Connection) -> set[UUID]:
    """Those of the batches that have not ended."""
    return set(connection.execute(SELECT_UNFINISHED, {"ids": batch_ids}).scalars())


def _views(batch_ids: list[UUID], connection: Connection) -> dict[UUID, BatchView]:
    """The batches as they are now, as far as they are there."""
    rows = connection.execute(_FOLLOWED, {"ids": batch_ids}).mappings()
    return {batch.id: batch for batch in map(batch_view, rows)}
