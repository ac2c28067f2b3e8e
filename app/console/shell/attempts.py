"""How often somebody may try to sign in: ten times a minute.

Refused attempts are counted by address, so that nobody guesses; all attempts by the secret, so
that nobody begins sessions without end. Whoever has an address of IPv6 has 2^64 of them, which
count as one. What was tried with secrets of nobody's, from however many addresses, is audited a
hundred times a minute: those rows stay for a year. Counted in Redis, over all processes; while it
is away, each process counts by itself.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

import structlog
from redis import RedisError

from app.core.errors import TooMany
from app.web.services import services

MOST = 10
WINDOW = 60
"""Seconds."""
MOST_OF_NOBODY = 100
"""Rows of the audit in a minute."""
_NETWORK = 64
_MOST_KEPT = 10_000

log = structlog.get_logger(__name__)


class _Own:
    """The counts of this process: for when Redis is away."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[float, int]] = {}

    def add(self, key: str, number: int) -> int:
        with self._lock:
            now = self._clock()
            until, count = self._counts.pop(key, (0.0, 0))
            if now >= until:
                until, count = now + WINDOW, 0
            if len(self._counts) >= _MOST_KEPT:
                del self._counts[next(iter(self._counts))]
            self._counts[key] = (until, count + number)
            return count + number


_OWN = _Own()


def count_attempt(address: str | None, secret: str) -> Callable[[], None]:
    """Count one that begins. Raises TooMany.

    What is returned is to be called where it was a good one: it then does not count for the
    address.
    """
    by_address = f"address:{_source(address)}"
    by_secret = f"secret:{hashlib.sha256(secret.encode('utf-8', 'surrogateescape')).hexdigest()}"
    for key in (by_address, by_secret):
        if _add(key, 1) > MOST:
            raise TooMany(
                "Too many attempts to sign in. Wait a minute, and try again.", retry_after=WINDOW
            )

    def good() -> None:
        _add(by_address, -1)

    return good


def is_to_be_audited() -> bool:
    """Whether one that was refused, by a secret of nobody's, still gets a row of the audit."""
    return _add("nobodys", 1) <= MOST_OF_NOBODY


def _source(address: str | None) -> str:
    """Whose address it is, as far as that can be told by it."""
    if address is None:
        return "unknown"
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, _NETWORK), strict=False))
    return address


def _add(key: str, number: int) -> int:
    redis, name = services().redis, f"batchline:sign-in:{key}"
    try:
        pipe = redis.pipeline(transaction=True)
        pipe.set(name, 0, ex=WINDOW, nx=True)
        pipe.incrby(name, number)
        return int(pipe.execute()[1])
    except (RedisError, OSError) as error:
        log.warning("console.redis_away", error=str(error))
        return _OWN.add(name, number)
