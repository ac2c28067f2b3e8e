"""Which breakers are open, as a process knows it, and how its own tries went. One a process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.batches.breakers.changing import Counted, name_of
from app.core.jsontext import loads
from app.core.lifecycle import BREAKER_CLOSED, BREAKER_OPEN
from handlers import Operation
from workers.engine.breakers.window import Window

# Seconds: a pace that is longer by less is the same.
_ALIKE = 0.5


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """A breaker that lets no item begin. `base`: empty for all of its operation.

    `opened`: it is not closed; else it is only paced. `due`: when (by the book's clock) an item may
    try whether all is well; None for never. `until`: nothing begins before, whatever else.
    """

    id: int
    operation: str
    base: str
    opened: bool
    due: float | None
    until: float


class BreakerBook:
    """What the process knows. Safe between threads; asks no database.

    What is open it is told by whoever has just read it (`saw`), so it knows as much as the process
    last read: with each slice, with its outcomes and with each heartbeat.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], OpenBreaker] = {}
        self._seen_at = float("-inf")
        self._windows: dict[tuple[str, str], Window] = {}

    def now(self) -> float:
        """The moment, before something is read that it will be told."""
        return self._clock()

    def saw(self, text: str | None, *, began: float) -> None:
        """What is open (OPEN_BREAKERS), read no earlier than `began`. An older view is ignored."""
        rows: list[list[Any]] = [] if text is None else loads(text)
        now = self._clock()
        seen = {}
        for id_, operation, base, status, by_hand, seconds, paced in rows:
            tries = status == BREAKER_OPEN and not by_hand and seconds is not None
            due = now + float(seconds) if tries else None
            until = now + (0.0 if paced is None else float(paced))
            opened = status != BREAKER_CLOSED
            seen[operation, base] = OpenBreaker(id_, operation, base, opened, due, until)
        with self._lock:
            if began < self._seen_at:
                return
            self._seen_at = began
            self._open = seen
            # Whatever went well before is no sign of what comes once it is closed.
            for key in self._windows.keys() & {key for key, one in seen.items() if one.opened}:
                del self._windows[key]

    @property
    def anything(self) -> bool:
        """Whether anything is open."""
        return bool(self._open)

    def keeps(self, operation: str, base: str) -> OpenBreaker | None:
        """What keeps an item of that operation and base from beginning, if anything does."""
        return self._active((operation, "")) or self._active((operation, base))

    def _active(self, key: tuple[str, str]) -> OpenBreaker | None:
        found = self._open.get(key)
        return found if found is not None and self._keeps(found) else None

    def _keeps(self, breaker: OpenBreaker) -> bool:
        return breaker.opened or self._clock() < breaker.until

    def keeps_all(self, operation: Operation) -> list[OpenBreaker]:
        """What keeps all items of the operation from beginning; nothing if some of them may."""
        if not self._open:
            return []
        whole = self._active((operation.name, ""))
        if whole is not None:
            return [whole]
        found = [self._active((operation.name, base)) for base in operation.bases]
        return [one for one in found if one is not None] if found and all(found) else []

    def of_ids(self, ids: list[int]) -> dict[int, OpenBreaker]:
        """Those of these numbers that are open."""
        opened = self._open.values()
        return {one.id: one for one in opened if one.id in ids and self._keeps(one)}

    def is_due(self, breaker: OpenBreaker) -> bool:
        """Whether an item may try it now; the database has the last word."""
        return breaker.due is not None and self._clock() >= max(breaker.due, breaker.until)

    def is_paced(self, operation: str, base: str, seconds: float) -> bool:
        """Whether it is known already that nothing begins for about so long."""
        found = self._open.get((operation, base))
        return found is not None and found.until >= self._clock() + seconds - _ALIKE

    def note(self, operation: Operation, base: str, *, succeeded: int, failed: int) -> Counted:
        """Tries of an operation that has a breaker. What to `count`, if any `failed`."""
        breaker = operation.breaker
        assert breaker is not None  # noqa: S101 (only called for those that have one)
        now = self._clock()
        with self._lock:
            window = self._windows.get((operation.name, base))
            if window is None or window.within != float(breaker.within):
                window = self._windows[operation.name, base] = Window(float(breaker.within))
            if succeeded:
                window.add(succeeded, now)
            return Counted(operation.name, base, breaker, failed, window.total(now))

    def tries(self) -> dict[str, int]:
        """What went well within each window, for the heartbeat."""
        now = self._clock()
        with self._lock:
            totals = {key: window.total(now) for key, window in self._windows.items()}
        return {name_of(*key): total for key, total in totals.items() if total}
