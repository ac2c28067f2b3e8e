"""Ends the process whose handler cannot be interrupted.

Two threads watch it. One in the process itself ends the item FAILED, gives the rest of the slice
back, and kills the process. It needs the interpreter's lock, which a handler in C code may hold;
then a thread of the worker's main process kills the process a little later. That thread cannot
write anything (it must hold no lock when the pool forks the next child), so the slice is taken over
as that of any dead process: its items are tried again in smaller groups, and the one that keeps
hanging ends FAILED.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog

log = structlog.get_logger(__name__)

# Seconds after an interruption that had no effect until the process ends itself, and until it is
# ended from outside.
GRACE = 2.0
LAST_GRACE = 6.0
_LOOK_EVERY = 0.5
_PLACES = 512
# Until when (monotonic seconds, 0 for nothing), and the child's pid.
_NOTE = struct.Struct("=dq")
_UNTIL = struct.Struct("=d")


@dataclass(frozen=True, slots=True)
class Overrun:
    """A call that took too long. `index`: its item, or None where it had several."""

    claim: UUID
    index: int | None
    seconds: float


class Watch:
    """Where a process notes its calls. This one does nothing, for a process without a watchdog."""

    @contextmanager
    def call(self, claim: UUID, index: int | None, seconds: float) -> Iterator[None]:
        """Around a call that may take `seconds`."""
        yield


class Board:
    """The notes of a worker's children. Made before they are forked."""

    def __init__(self) -> None:
        self._notes = mmap.mmap(-1, _PLACES * _NOTE.size)

    def write(self, child: int | None, until: float) -> None:
        """Note until when child `number` of the pool may be busy (monotonic seconds); 0: idle."""
        if child is not None and 0 <= child < _PLACES:
            # The time is written last and at once: a note with a time is complete.
            place = child * _NOTE.size
            if until:
                _NOTE.pack_into(self._notes, place, 0.0, os.getpid())
            _UNTIL.pack_into(self._notes, place, until)

    def guard(self) -> None:
        """Watch the notes from now on, in a thread of the main process."""
        threading.Thread(target=self._look, name="watchdog", daemon=True).start()

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY)
            for place in range(0, len(self._notes), _NOTE.size):
                until, pid = _NOTE.unpack_from(self._notes, place)
                if 0 < until < time.monotonic():
                    _UNTIL.pack_into(self._notes, place, 0.0)
                    _kill_child(pid)


def _kill_child(pid: int) -> None:
    try:
        # Only a living child of ours: the pid of a dead one may belong to another process.
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            os.kill(pid, signal.SIGKILL)
    except (ChildProcessError, ProcessLookupError):
        pass


class Watchdog(Watch):
    """Watches this process's calls, one at a time, from a thread of its own.

    `end`: writes the outcome of a call that took too long. `child`: this process's number on the
    `board`, None if the main process does not watch it.
    """

    def __init__(self, end: Callable[[Overrun], None], board: Board, child: int | None) -> None:
        self._end = end
        self._board = board
        self._child = child
        self._call: tuple[float, Overrun] | None = None
        board.write(child, 0.0)
        threading.Thread(target=self._look, name="watchdog", daemon=True).start()

    @contextmanager
    def call(self, claim: UUID, index: int | None, seconds: float) -> Iterator[None]:
        """Around a call that may take `seconds`."""
        limit = time.monotonic() + seconds
        self._board.write(self._child, limit + LAST_GRACE)
        self._call = (limit + GRACE, Overrun(claim, index, seconds))
        try:
            yield
        finally:
            self._call = None
            self._board.write(self._child, 0.0)

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY)
            call = self._call
            if call is None or time.monotonic() < call[0]:
                continue
            try:
                self._end(call[1])
            except Exception as error:  # then the slice is taken over, as after any death
                log.warning("overrun.not_written", claim=str(call[1].claim), error=str(error))
            os.kill(os.getpid(), signal.SIGKILL)
