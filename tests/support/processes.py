"""Processes that a test starts, and has to end."""

from __future__ import annotations

from collections.abc import Iterator
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
