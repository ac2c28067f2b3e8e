"""Requests a second of a client, over all processes: a token bucket in Redis.

It holds twice as many tokens as come into it a second. Only clients with such a quota have one, and
a request of theirs costs one command. While Redis is away each process has buckets of its own, so
that a client may get as many times its quota as there are processes, and is not refused for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from uuid import UUID

import structlog
from flask import Flask, Response, g
from redis import Redis, RedisError

from app.clients.credentials import Caller
from app.clients.quotas import REQUESTS_PER_SECOND
from app.core.errors import OverQuota

log = structlog.get_logger(__name__)

LEAVE_ALONE = 5.0
"""Seconds for which a Redis that did not answer is not asked."""
BURST = 2
# Clients whose buckets a process has while Redis is away; the one seen longest ago gives way.
_MOST_BUCKETS = 10_000

# By Redis' clock. What is left, or -1 where there is no token.
_TAKE = """
local rate = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(kept[1]) or rate * 2
tokens = math.min(rate * 2, tokens + math.max(0, now - (tonumber(kept[2]) or now)) * rate)
local left = -1
if tokens >= 1 then
  tokens = tokens - 1
  left = math.floor(tokens)
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens),
           'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], 3000)
return left
"""


class Rates:
    """The buckets. Safe to share between the threads of a process.

    `clock`: a monotonic one, in seconds, for what is kept here while Redis is away.
    """

    def __init__(self, redis: Redis, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._take = redis.register_script(_TAKE)
        self._clock = clock
        self._leave_alone_until = float("-inf")
        self._own: dict[UUID, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, client_id: UUID, rate: int) -> int:
        """Take a token of the client's bucket; how many are left. Raises OverQuota.

        `rate`: tokens that come into it a second.
        """
        left = self._take_token(client_id, rate)
        if left < 0:
            raise OverQuota(
                f"The quota {REQUESTS_PER_SECOND} is {rate}.",
                quota=REQUESTS_PER_SECOND,
                retry_after=1,
            )
        return left

    def _take_token(self, client_id: UUID, rate: int) -> int:
        if self._clock() >= self._leave_alone_until:
            try:
                return int(self._take(keys=[f"batchline:rate:{client_id}"], args=[rate]))
            except (RedisError, OSError) as error:
                self._leave_alone_until = self._clock() + LEAVE_ALONE
                log.warning("quotas.redis_away", error=str(error))
        return self._take_own(client_id, rate)

    def _take_own(self, client_id: UUID, rate: int) -> int:
        with self._lock:
            now = self._clock()
            tokens, at = self._own.pop(client_id, (float(rate * BURST), now))
            tokens = min(float(rate * BURST), tokens + (now - at) * rate)
            there = tokens >= 1
            tokens -= there
            if len(self._own) >= _MOST_BUCKETS:
                del self._own[next(iter(self._own))]
            self._own[client_id] = (tokens, now)
            return int(tokens) if there else -1


def register(flask: Flask) -> None:
    """Tell on each answer of `flask` how many requests the client has left, if that is limited."""
    flask.after_request(_tell)


def count_request(who: Caller, rates: Rates) -> None:
    """Count the request that has begun, if it is to be counted. Raises OverQuota."""
    rate = who.quotas[REQUESTS_PER_SECOND]
    if rate is None:
        return
    g.rate = (rate, 0)
    g.rate = (rate, rates.take(who.client_id, rate))


def _tell(response: Response) -> Response:
    """The IETF's draft, in its tenth version."""
    if "rate" in g:
        rate, left = g.rate
        # One of this second's has been taken; the bucket may have more than is promised here.
        response.headers["RateLimit"] = f'"{REQUESTS_PER_SECOND}";r={min(left, rate - 1)};t=1'
        response.headers["RateLimit-Policy"] = f'"{REQUESTS_PER_SECOND}";q={rate};w=1'
    return response
