"""When one more message that asks for turns to be taken would say nothing new.

Such a message says only that somebody stands in line: whoever gets one takes turns until nobody
does (workers/engine/run/turns.py). Of a thousand small batches that are submitted within seconds
nearly all messages are found when everything has been done, and each costs a worker, and Flower, as
much as a batch does.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger(__name__)

ENOUGH = 16
"""Messages that wait: workers come to them after this moment, and so to who stands in line by now.
Some may be slices of small batches, whose end has the line looked at, too."""
# So many within so many seconds are a burst. Otherwise nobody is asked, which costs nothing.
_MANY, _WITHIN = 16, 0.25
_PATIENCE = 0.5


class Bursts:
    """Whether enough messages wait in a queue of a Redis broker. Safe to share between threads.

    It asks Redis only while many are sent. With another broker, or one that does not answer, never
    enough do. `broker_url`: as redis-py spells it.
    """

    def __init__(self, broker_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent: deque[float] = deque(maxlen=_MANY)
        self._redis: Redis | None = None
        if broker_url.startswith(("redis://", "rediss://", "unix://")):
            self._redis = Redis.from_url(
                broker_url,
                socket_timeout=_PATIENCE,
                socket_connect_timeout=_PATIENCE,
                retry=Retry(NoBackoff(), 0),
            )

    def enough_wait(self, queue: str) -> bool:
        """Asked before each message that is to be sent to `queue`."""
        now = self._clock()
        burst = len(self._sent) == _MANY and now - self._sent[0] < _WITHIN
        self._sent.append(now)
        if not burst or self._redis is None:
            return False
        try:
            waiting: Any = self._redis.llen(queue)
        except RedisError as error:
            log.debug("dispatch.queue_unknown", queue=queue, error=str(error))
            return False
        return bool(waiting >= ENOUGH)
