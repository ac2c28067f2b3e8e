"""One at a time in a process: whoever computes for long beside others who have only a little to do.

Of a process' threads one computes at a time. Each that computes without a pause takes its part of
the processor from all others, so that with eight of them a quick request takes nine times as long.
They gain nothing by it. So what is large (bodies that are taken apart, rows that are made of them)
has one turn among itself, piece by piece, and a quick request shares the processor with one.

Who may take how much of it: a piece, of a few milliseconds, within `alone`. Where others wait, each
piece is followed by one of each of theirs, in the order in which they came. Who waits for a peer or
for a server meanwhile does it within `aside`, or holds up all the others.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class _Turn:
    """A lock that goes to whoever has waited longest, which the one of `threading` does not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._line: deque[threading.Lock] = deque()

    def take(self) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._line.append(mine)
        mine.acquire()

    def leave(self) -> None:
        with self._lock:
            if self._line:
                self._line.popleft().release()
            else:
                self._taken = False

    def waiting(self) -> int:
        with self._lock:
            return len(self._line)


class _Mine(threading.local):
    """Whether this thread has the turn."""

    has_turn = False


_turn = _Turn()
_mine = _Mine()


@contextmanager
def alone() -> Iterator[None]:
    """Compute a piece of what takes long in this block, while nobody else does; waits for that.

    Within another `alone` of the same thread it does nothing.
    """
    if _mine.has_turn:
        yield
        return
    _turn.take()
    _mine.has_turn = True
    try:
        yield
    finally:
        _mine.has_turn = False
        _turn.leave()


@contextmanager
def aside() -> Iterator[None]:
    """Let others compute in this block, then go on at the end of their line.

    In a thread that has no turn it does nothing.
    """
    if not _mine.has_turn:
        yield
        return
    _mine.has_turn = False
    _turn.leave()
    try:
        yield
    finally:
        _turn.take()
        _mine.has_turn = True


def in_line() -> int:
    """How many threads wait for their turn."""
    return _turn.waiting()
