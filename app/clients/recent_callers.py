"""Who has called within the last second: kept in memory, so that not each request asks for it.

A client or key that is revoked, or whose secret is rotated, is let in for a second at most by a
process that it called just before; one that expires, not at all. Who is unknown is asked for each
time, so that a new client is known at once, and nobody fills the memory by guessing.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

from sqlalchemy import Engine

from app.clients.credentials import Caller, find_caller_by_hash, hash_secret
from app.clients.quotas import NO_QUOTAS, Quotas
from app.db import read

KEPT_SECONDS = 1.0
MOST_CALLERS = 10_000
"""Of which something is kept, a few hundred bytes each; the one asked for longest ago gives way."""


class RecentCallers:
    """The callers of one process; safe to share between its threads.

    `clock`: a monotonic one, in seconds. `most`: callers that are kept. `defaults`: quotas of
    clients for which none was set.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST_CALLERS,
        defaults: Quotas = NO_QUOTAS,
    ) -> None:
        self._engine = engine
        self.defaults = defaults
        self._clock = clock
        self._most = most
        # By the hashes of their secrets, and until when each is good. What was asked for longest
        # ago comes first.
        self._known: dict[str, tuple[float, Caller]] = {}
        self._lock = threading.Lock()

    def find(self, secret: str, *, api_key: str | None = None) -> Caller | None:
        """Who calls with that secret; None where it is unknown, revoked or expired.

        `api_key`: where a dialect carries both, they must belong to the same key.
        """
        found = self._find_by_hash(hash_secret(secret))
        if found is None or api_key is None:
            return found
        same = secrets.compare_digest(
            found.api_key.encode(), api_key.encode("utf-8", "surrogateescape")
        )
        return found if same else None

    def _find_by_hash(self, secret_hash: str) -> Caller | None:
        # What is found was so at this moment, or later.
        now = self._clock()
        known = self._known.get(secret_hash)
        if known is not None and now < known[0]:
            return known[1]
        found = read(
            self._engine,
            lambda connection: find_caller_by_hash(connection, secret_hash, self.defaults),
        )
        with self._lock:
            self._known.pop(secret_hash, None)
            if found is None:
                return None
            caller, left = found
            if len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            good = KEPT_SECONDS if left is None else min(KEPT_SECONDS, left)
            self._known[secret_hash] = (now + good, caller)
        return caller
