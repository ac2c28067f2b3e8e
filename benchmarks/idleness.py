"""Waiting for a moment at which the machine does nothing else, where others work on it too."""

from __future__ import annotations

import time

import psutil

_ENOUGH = 80.0
_LOOK = 0.5


def wait_until_idle(patience: float) -> None:
    """Return once four fifths of the processors have been idle for half a second.

    At the latest after `patience` seconds; 0 does not look at all.
    """
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if psutil.cpu_times_percent(interval=_LOOK).idle >= _ENOUGH:
            return
