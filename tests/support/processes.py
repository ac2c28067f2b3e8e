"""Processes that a test starts, and has to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psutil


@contextmanager
def none_left_behind() -> Iterator[None]:
    """Fails if a process that was started in the block still runs a while after it."""
    # The session's servers and stack may start more below themselves meanwhile.
    before = set(psutil.Process().children())
    yield
    left = set(psutil.Process().children()) - before
    _, alive = psutil.wait_procs(left, timeout=30)
    assert not alive, "left running"


@contextmanager
def frozen(pids: Iterable[int]) -> Iterator[None]:
    """These processes stand still in the block: alive, and answering nothing."""
    stopped = list(pids)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
