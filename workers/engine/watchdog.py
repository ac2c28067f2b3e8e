"""Ends the prefork child whose handler cannot be interrupted, and says which item it was.

Each child notes in shared memory what it is trying and until when. A thread in the worker's main
process looks at the notes; the main process has an interpreter of its own, so it looks even while
a child's handler holds on to everything in its own. A child that is overdue is killed. The pool
starts another one in its place, which finds the note, and writes what became of the item.

The thread touches nothing but the notes and the signal: it never holds a lock when the pool forks.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

# After an interruption that had no effect, seconds until the process is ended.
GRACE = 3.0
_LOOK_EVERY = 0.5
_PLACES = 512
# Until when (monotonic seconds, 0 for nothing), the child's pid, the item's index (-1 where a call
# has several), the limit in seconds, whether it was killed, and the slice's claim.
_NOTE = struct.Struct("=dqqdq16s8x")
_UNTIL = struct.Struct("=d")
_KILLED = struct.Struct("=q")
_KILLED_AT = struct.calcsize("=dqqd")


@dataclass(frozen=True, slots=True)
class Overrun:
    """What a killed child was doing. `index`: the item, or None where the call had several."""

    claim: UUID
    index: int | None
    seconds: float


class Watch:
    """What a process notes of its calls. One that no watchdog looks at notes nothing."""

    @contextmanager
    def call(self, claim: UUID, index: int | None, seconds: float) -> Iterator[None]:
        """Around a call that may take `seconds`."""
        yield


class Board:
    """The notes of a worker's children. Made before they are forked."""

    def __init__(self) -> None:
        self._notes = mmap.mmap(-1, _PLACES * _NOTE.size)

    def watch(self, child: int | None) -> Watch:
        """For the child process of that number in its pool."""
        if child is None or not 0 <= child < _PLACES:
            return Watch()
        return _Noted(self._notes, child * _NOTE.size)

    def overrun(self, child: int | None) -> Overrun | None:
        """What the child before this one was killed for, told once."""
        if child is None or not 0 <= child < _PLACES:
            return None
        place = child * _NOTE.size
        _, _, index, seconds, killed, claim = _NOTE.unpack_from(self._notes, place)
        _NOTE.pack_into(self._notes, place, 0.0, 0, 0, 0.0, 0, b"")
        if not killed:
            return None
        return Overrun(UUID(bytes=claim), None if index < 0 else index, seconds)

    def guard(self) -> None:
        """Look at the notes from now on, in a thread."""
        threading.Thread(target=self._look, name="watchdog", daemon=True).start()

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY)
            for place in range(0, len(self._notes), _NOTE.size):
                (until,) = _UNTIL.unpack_from(self._notes, place)
                if 0 < until < time.monotonic():
                    self._end(place, until)

    def _end(self, place: int, until: float) -> None:
        _, pid, _, _, killed, _ = _NOTE.unpack_from(self._notes, place)
        if killed or _UNTIL.unpack_from(self._notes, place) != (until,):
            return  # it has gone on in this moment
        try:
            # Still a child of ours, and not one that has died? Then the number is nobody else's.
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                _KILLED.pack_into(self._notes, place + _KILLED_AT, 1)
                os.kill(pid, signal.SIGKILL)
        except (ChildProcessError, ProcessLookupError):
            _UNTIL.pack_into(self._notes, place, 0.0)


class _Noted(Watch):
    """The watch of a child with a place on the board."""

    def __init__(self, notes: mmap.mmap, place: int) -> None:
        self._notes = notes
        self._place = place
        self._pid = os.getpid()

    @contextmanager
    def call(self, claim: UUID, index: int | None, seconds: float) -> Iterator[None]:
        """Around a call that may take `seconds`."""
        until = time.monotonic() + seconds + GRACE
        number = -1 if index is None else index
        _NOTE.pack_into(self._notes, self._place, 0.0, self._pid, number, seconds, 0, claim.bytes)
        # Last, in one piece: a note that has a time is complete.
        _UNTIL.pack_into(self._notes, self._place, until)
        try:
            yield
        finally:
            _UNTIL.pack_into(self._notes, self._place, 0.0)
