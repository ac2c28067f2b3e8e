"""How much may lie in spools at once, of all requests of a process together.

A body that was compressed can become a thousand times as large on the disk: a handful of them, each
below the limit of a single one, would fill it for Postgres and for everybody else.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections import Counter
from collections.abc import Hashable

from app.core.errors import Busy, TooLarge

_MOST_BY_ITSELF = 16 << 30
_PART_OF_FREE = 8
_EACH = 2
"""One client has at most this part: a half."""
_RETRY_AFTER = 5


class SpoolBudget:
    """Bytes that spools share. Asked by many threads."""

    def __init__(self, most: int = 0) -> None:
        """`most`: 0 for an eighth of what is free now, 16 GiB at most."""
        self.most = most or _part_of_free()
        self._lock = threading.Lock()
        self._held: Counter[Hashable] = Counter()

    @property
    def held(self) -> int:
        """Bytes that are taken just now."""
        with self._lock:
            return self._held.total()

    def share(self, client: Hashable) -> SpoolShare:
        """What one spool of that client's takes."""
        return SpoolShare(self, client)

    def take(self, client: Hashable, size: int, own: int) -> None:
        """Take `size` bytes for a spool that has `own` already.

        Raises TooLarge where no room would ever be enough for it, and Busy where others have it.
        """
        each = self.most // _EACH
        if own + size > each:
            raise TooLarge(f"The items are larger than {each} bytes, for which there is no room.")
        with self._lock:
            if self._held[client] + size > each or self._held.total() + size > self.most:
                raise no_room()
            self._held[client] += size

    def give(self, client: Hashable, size: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self._held[client] -= size
            if not self._held[client]:
                del self._held[client]


class SpoolShare:
    """What one spool holds of a budget. Of one thread at a time."""

    # Taken so much at a time, so that not every item asks.
    _STEP = 1 << 20

    def __init__(self, budget: SpoolBudget, client: Hashable) -> None:
        self._budget = budget
        self._client = client
        self._taken = self._used = 0

    def use(self, size: int) -> None:
        """`size` bytes more are about to be written. Raises what `SpoolBudget.take` raises."""
        self._used += size
        if self._used > self._taken:
            more = max(self._used - self._taken, min(self._STEP, self._budget.most // 16))
            self._budget.take(self._client, more, self._taken)
            self._taken += more

    def release(self) -> None:
        """Nothing is held any more."""
        if self._taken:
            self._budget.give(self._client, self._taken)
        self._taken = self._used = 0


def no_room() -> Busy:
    """What is raised where there is no room for a body just now."""
    return Busy("There is no room to receive the body just now.", retry_after=_RETRY_AFTER)


def _part_of_free() -> int:
    disk = os.statvfs(tempfile.gettempdir())
    return max(1 << 20, min(_MOST_BY_ITSELF, disk.f_bavail * disk.f_frsize // _PART_OF_FREE))
