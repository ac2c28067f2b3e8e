"""Watching batches for many callers at once, at the cost of watching for one.

Callers that wait hold neither a connection nor a transaction. They are let go when it is told that
the batch has ended (app/events/notify.py), which takes no look at all. One thread of the process
looks at all watched batches at once: when it is notified of a change that somebody follows, and
without that from time to time (watched_batch.py). So a notification that is lost delays an answer
by a second at most, and a Redis that is away by a quarter.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from uuid import UUID

import structlog
from redis import Redis
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.batches.queries import find_batches, find_unfinished
from app.batches.watched_batch import Following, WatchedBatch
from app.core.errors import BatchlineError
from app.db import read
from app.events.listening import listen
from app.events.notify import CHANNEL, notified

log = structlog.get_logger(__name__)

# Seconds: the longest pause of the thread that looks, the pause after an error, and how long the
# threads stay when no batch is watched.
_LONGEST_PAUSE = 1.0
_AFTER_TROUBLE = 1.0
_LINGER = 1.0
# Seconds after which a caller is asked again whether it still waits.
_ASK_EVERY = 5.0


class BatchWatch:
    """What a process watches; safe to share between its threads.

    `most`: callers that may wait or follow at once. Further ones are answered without waiting, so
    that some threads are always free for other requests. `alive`: whether the process goes on; when
    it does not, all callers are let go. `clock`: a monotonic one, in seconds. `rest`: what a
    caller waits in, so that it takes no other's place meanwhile.
    """

    def __init__(
        self,
        engine: Engine,
        redis: Redis | None = None,
        *,
        most: int,
        alive: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
        rest: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._clock = clock
        self._rest = rest
        self._engine = engine
        self._redis = redis
        self._alive = alive
        self._places = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._watches: dict[UUID, WatchedBatch] = {}
        self._looking = False
        self._listening = False
        # Whether all that is told from now on is heard.
        self._hearing = False
        self._unwatched_since = 0.0

    def wait(
        self,
        batch_id: UUID,
        seconds: float,
        *,
        ended: Callable[[], bool] | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Hold until the batch has ended (or is gone), at most `seconds`; whether it has.

        `ended`: looks whether it has ended already. It is called once the batch is watched, so that
        an end cannot fall between that look and the first notification; what it raises is raised.
        `wanted`: asked every few seconds whether to go on waiting; the same of what it raises.
        False at once if `most` callers watch already.
        """
        if seconds <= 0 or not self._places.acquire(blocking=False):
            return False
        try:
            with self._lock:
                watch = self._join(batch_id, looks=ended is not None)
                watch.waiting += 1
                before = watch.ends
            try:
                if ended is not None and ended():
                    return True
                return self._held(watch, before, time.monotonic() + seconds, wanted)
            finally:
                with self._lock:
                    watch.waiting -= 1
                    self._leave(batch_id, watch)
        finally:
            self._places.release()

    def _held(
        self, watch: WatchedBatch, before: int, until: float, wanted: Callable[[], bool]
    ) -> bool:
        def over() -> bool:
            return watch.ended or watch.ends > before

        while True:
            left = until - time.monotonic()
            with self._rest(), self._lock:
                watch.changed.wait_for(lambda: over() or not self._alive(), min(left, _ASK_EVERY))
            if over() or left <= _ASK_EVERY or not self._alive() or not wanted():
                return over()

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

    def _join(self, batch_id: UUID, *, looks: bool = False) -> WatchedBatch:
        """What is known of the batch, made if it is not watched yet. The caller holds the lock.

        `looks`: whether the caller itself looks at the batch, afterwards.
        """
        watch, now = self._watches.get(batch_id), self._clock()
        if watch is None:
            watch = self._watches[batch_id] = WatchedBatch(threading.Condition(self._lock), now)
            if looks and self._hearing:
                watch.look_at = now + _LONGEST_PAUSE
        # Where no thread can be started the next caller tries again; this one waits for its time.
        with suppress(RuntimeError):
            self._see_to_threads()
        if watch.look_at < now + _LONGEST_PAUSE:
            self._news.notify()
        return watch

    def _see_to_threads(self) -> None:
        if not self._looking:
            threading.Thread(target=self._look, name="batch-watch", daemon=True).start()
            self._looking = True
        if self._redis is not None and not self._listening:
            about = (self._redis, self, CHANNEL)
            threading.Thread(target=listen, args=about, name="batch-calls", daemon=True).start()
            self._listening = True

    def _leave(self, batch_id: UUID, watch: WatchedBatch) -> None:
        unwatched = not watch.waiting and not watch.following
        if unwatched and self._watches.get(batch_id) is watch:
            self._forget(batch_id)

    def _forget(self, batch_id: UUID) -> None:
        """Watch the batch no more, for now. The caller holds the lock."""
        del self._watches[batch_id]
        if not self._watches:
            self._unwatched_since = time.monotonic()

    def _look(self) -> None:
        """The thread that looks at batches. Ends when none has been watched for a while."""
        while True:
            with self._lock:
                if not self._watches and not self._news.wait_for(lambda: self._watches, _LINGER):
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
            unfinished = read(self._engine, partial(find_unfinished, plain)) if plain else set()
            views = read(self._engine, partial(find_batches, followed)) if followed else {}
        except Exception as error:  # this thread looks for all, and nobody would notice its end
            away = isinstance(error, (SQLAlchemyError, BatchlineError))
            log.warning("watch.look_failed", error=str(error), exc_info=None if away else error)
            with self._lock:
                for delayed in self._watches.values():
                    delayed.look_at = self._clock() + _AFTER_TROUBLE
            return
        with self._lock:
            now = self._clock()
            for batch_id, followed_ in due.items():
                watch = self._watches.get(batch_id)
                if watch is None or (watch.following and not followed_):
                    continue  # a follower has joined since, so this look does not count
                watch.looked = now
                watch.look_at = watch.next_look(now, hearing=self._hearing)
                if followed_:
                    watch.show(views.get(batch_id), now)
                else:
                    watch.ended = batch_id not in unfinished
                if watch.ended:
                    # The batch can begin again: callers that come later watch it anew.
                    self._forget(batch_id)
                    watch.changed.notify_all()

    def goes_on(self) -> bool:
        """Whether to listen any longer: until none has been watched for a while."""
        with self._lock:
            idle = time.monotonic() - self._unwatched_since
            self._listening = bool(self._watches) or idle < _LINGER
            self._hearing = self._hearing and self._listening
            return self._listening

    def begin(self) -> None:
        """Look at everything: what was told before the subscription began was not heard."""
        with self._lock:
            self._hearing = True
            for watch in self._watches.values():
                watch.look_at = self._clock()
            self._news.notify()

    def hear(self, message: bytes) -> None:
        """Let go who waits for a batch that has ended; look at one that has changed."""
        news = notified(message)
        if news is None:
            return
        batch_id, ended = news
        with self._lock:
            watch = self._watches.get(batch_id)
            if watch is None:
                return
            if ended:
                watch.ends += 1
                watch.changed.notify_all()
                if not watch.following:
                    self._forget(batch_id)
                    return
            soonest = watch.soonest_look
            if soonest < watch.look_at:
                watch.look_at = soonest
                self._news.notify()

    def end(self) -> None:
        """Look more often, as nothing is heard."""
        with self._lock:
            self._hearing = False
            now = self._clock()
            for watch in self._watches.values():
                watch.look_at = min(watch.look_at, watch.next_look(now, hearing=False))
            self._news.notify()
