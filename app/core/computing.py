"""One at a time in a process: whoever computes for long beside others who have only a little to do.

Of a process' threads one computes at a time. Each that computes without a pause takes its part of
the processor from all others, so that with eight of them a quick request takes nine times as long.
They gain nothing by it. So what is large (bodies that are taken apart, rows that are made of them)
has one turn among itself, piece by piece, and a quick request shares the processor with one.

Who may take how much of it: a piece, of a few milliseconds, within `alone`. Where others wait, each
piece is followed by one of each of theirs, in the order in which they came. Who waits for a peer or
for a server meanwhile does it within `aside`, or holds up all the others.

Who has only a little to do does it within `quickly`. While somebody does, no piece is begun, for as
long as pieces have computed since they last waited: so a quick request has the process to itself,
and however many of them there are, pieces have half of the time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
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


MOST_PATIENCE = 0.01
"""Seconds that a piece waits for quick ones, at most."""


class Quick:
    """Those who have only a little to do, and how long pieces wait for them.

    `patience`: seconds that they may still wait: as long as they have computed. Only who has the
    turn waits, so nobody else asks meanwhile.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._number = 0
        self._waits = False
        self.patience = MOST_PATIENCE

    def more(self, number: int) -> None:
        """So many more of them; fewer, where it is negative."""
        with self._changed:
            self._number += number
            if self._waits and not self._number:
                self._changed.notify()

    def computed(self, seconds: float) -> None:
        """A piece has taken so long."""
        self.patience = min(MOST_PATIENCE, self.patience + seconds)

    def let_them_end(self) -> None:
        """Wait until there is none, or patience is over."""
        if not self._number or self.patience <= 0:
            return
        began = self._clock()
        with self._changed:
            self._waits = True
            self._changed.wait_for(lambda: not self._number, self.patience)
            self._waits = False
        self.patience -= self._clock() - began


class _Mine(threading.local):
    """Whether this thread has the turn, since when, and whether it counts as quick."""

    has_turn = False
    since = 0.0
    is_quick = False


_turn = _Turn()
_quick = Quick()
_mine = _Mine()


@contextmanager
def quickly() -> Iterator[None]:
    """Do in this block what is no piece of something that takes long, but within `alone`."""
    _be_quick(True)
    try:
        yield
    finally:
        _be_quick(False)


@contextmanager
def unhurried() -> Iterator[None]:
    """Wait in this block for what may take long; nobody else waits for it. Within `quickly`."""
    was_quick = _mine.is_quick
    _be_quick(False)
    try:
        yield
    finally:
        _be_quick(was_quick)


def _be_quick(quick: bool) -> None:
    if _mine.is_quick != quick:
        _mine.is_quick = quick
        _quick.more(1 if quick else -1)


def _take_turn() -> None:
    _turn.take()
    _quick.let_them_end()
    _mine.has_turn, _mine.since = True, time.monotonic()


def _leave_turn() -> None:
    _quick.computed(time.monotonic() - _mine.since)
    _mine.has_turn = False
    _turn.leave()


@contextmanager
def alone() -> Iterator[None]:
    """Compute a piece of what takes long in this block, while nobody else does; waits for that.

    Within another `alone` of the same thread it does nothing.
    """
    if _mine.has_turn:
        yield
        return
    with unhurried():
        _take_turn()
        try:
            yield
        finally:
            _leave_turn()


@contextmanager
def aside() -> Iterator[None]:
    """Let others compute in this block, then go on at the end of their line.

    In a thread that has no turn it does nothing.
    """
    if not _mine.has_turn:
        yield
        return
    _leave_turn()
    try:
        yield
    finally:
        _take_turn()


def in_line() -> int:
    """How many threads wait for their turn."""
    return _turn.waiting()
