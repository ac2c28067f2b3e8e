"""Places that a client may take so many of at once, over all processes: submissions and streams.

Who has a place is in a sorted set of Redis, by the client, with the moment until which it is good.
A process renews those that it has, by one thread; those of a process that died are free once that
moment is over (`GOOD_FOR`). Taking one looks and takes in one step, so there are never more than
allowed, but where a process could not renew for so long, or Redis was emptied, until it is renewed.

While Redis is away each process counts its own.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import structlog
from redis import Redis, RedisError

from app.core.errors import OverQuota
from app.core.ids import new_id
from app.web.rates import LEAVE_ALONE

log = structlog.get_logger(__name__)

GOOD_FOR = 10.0
"""Seconds after its process died that a place is free again."""
_RENEW_EVERY = 3.0

# By Redis' clock. 1 where there was a place.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
_RENEW = """
local time = redis.call('TIME')
local good = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
for place = 2, #ARGV do redis.call('ZADD', KEYS[1], good, ARGV[place]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""
_COUNT = """
local time = redis.call('TIME')
return redis.call('ZCOUNT', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), '+inf')
"""


class Place:
    """A place that was taken; it is to be given back once, from whatever thread."""

    def __init__(self, places: Places, client_id: UUID) -> None:
        self._places = places
        self.client_id = client_id
        self.id = new_id().hex

    def give_back(self) -> None:
        """Let another have it. Doing so again does nothing."""
        self._places._give_back(self)


class Places:
    """A process's part of the places for one quota. Safe to share between its threads.

    `quota`: its name.
    """

    def __init__(
        self, redis: Redis, quota: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._quota = quota
        self._clock = clock
        self._take_script = redis.register_script(_TAKE)
        self._renew_script = redis.register_script(_RENEW)
        self._count_script = redis.register_script(_COUNT)
        self._leave_alone_until = float("-inf")
        self._held: defaultdict[UUID, dict[str, Place]] = defaultdict(dict)
        self._lock = threading.Lock()
        self._renewing = False

    @contextmanager
    def held(self, client_id: UUID, most: int) -> Iterator[None]:
        """Hold a place while the block lasts. Raises OverQuota."""
        place = self.take(client_id, most)
        try:
            yield
        finally:
            place.give_back()

    def take(self, client_id: UUID, most: int) -> Place:
        """Take one of the client's `most` places. Raises OverQuota where there is none."""
        place = Place(self, client_id)
        with self._lock:
            there = len(self._held.get(client_id, ())) < most
            if there:
                self._held[client_id][place.id] = place
        if there and not self._is_free(place, most):
            self._forget(place)
            there = False
        if not there:
            raise OverQuota(
                f"The quota {self._quota} is {most}, and so many are under way.",
                quota=self._quota,
                retry_after=1,
            )
        self._renew_from_now_on()
        return place

    def count(self, client_id: UUID) -> int:
        """How many of its places the client has taken; where Redis is away, of this process."""
        with self._lock:
            here = len(self._held.get(client_id, ()))
        found = self._ask(lambda: int(self._count_script(keys=[self._key(client_id)])))
        return here if found is None else found

    def _is_free(self, place: Place, most: int) -> bool:
        """Whether the place could be had of Redis too; it is to be had where that is away."""
        asked: list[str | int] = [place.id, most, int(GOOD_FOR * 1000)]
        taken = self._ask(
            lambda: int(self._take_script(keys=[self._key(place.client_id)], args=asked))
        )
        return taken is None or bool(taken)

    def _give_back(self, place: Place) -> None:
        if self._forget(place):
            # Where this is lost, it is free again when it is no longer good.
            self._ask(lambda: int(self._redis.zrem(self._key(place.client_id), place.id)))

    def _forget(self, place: Place) -> bool:
        with self._lock:
            own = self._held.get(place.client_id, {})
            found = own.pop(place.id, None) is not None
            if not own:
                self._held.pop(place.client_id, None)
            return found

    def _ask(self, command: Callable[[], int]) -> int | None:
        """What Redis answers, None where it is away."""
        if self._clock() < self._leave_alone_until:
            return None
        try:
            return command()
        except (RedisError, OSError) as error:
            self._leave_alone_until = self._clock() + LEAVE_ALONE
            log.warning("quotas.redis_away", error=str(error))
            return None

    def _renew_from_now_on(self) -> None:
        with self._lock:
            if self._renewing:
                return
            name = f"places-{self._quota}"
            # Where no thread can be started the next one who takes a place tries again.
            with suppress(RuntimeError):
                threading.Thread(target=self._renew_all, name=name, daemon=True).start()
                self._renewing = True

    def _renew_all(self) -> None:
        """The thread that renews; it ends when there has been nothing to renew."""
        while True:
            time.sleep(_RENEW_EVERY)
            with self._lock:
                if not self._held:
                    self._renewing = False
                    return
                held = {client_id: list(places) for client_id, places in self._held.items()}
            for client_id, ids in held.items():
                self._renew(client_id, ids)

    def _renew(self, client_id: UUID, ids: list[str]) -> None:
        key, good_for = self._key(client_id), int(GOOD_FOR * 1000)
        # In parts: Lua takes only so many arguments.
        for begin in range(0, len(ids), 1000):
            part = ids[begin : begin + 1000]
            self._ask(lambda part=part: self._renew_script(keys=[key], args=[good_for, *part]) or 0)  # type: ignore[misc]
        # One that was given back meanwhile has just been put there again.
        with self._lock:
            here = self._held.get(client_id, {})
            gone = [each for each in ids if each not in here]
        if gone:
            self._ask(lambda: int(self._redis.zrem(key, *gone)))

    def _key(self, client_id: UUID) -> str:
        return f"batchline:places:{self._quota}:{client_id}"
