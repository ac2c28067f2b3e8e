"""When to stop: on Ctrl-C, SIGTERM, SIGHUP, and when the process that started us is gone."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

PARENT_POLL_SECONDS = 0.5


class StopRequested(BaseException):
    """Raised in the main thread, wherever it is, by the first request to stop."""


class Stopper:
    """Turns signals into StopRequested, once; later ones call what `hurry_by` was given.

    A context manager: outside of it, signals do what they did before.
    """

    def __init__(self) -> None:
        self._begun = False
        self._hurry: Callable[[], None] = lambda: None
        self._before: dict[int, Any] = {}
        self._left = threading.Event()

    def __enter__(self) -> Stopper:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            if number == signal.SIGHUP and before == signal.SIG_IGN:
                continue  # nohup: the terminal may go
            self._before[number] = before
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._watch_parent, name="parent-watch", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        for number, before in self._before.items():
            signal.signal(number, before)

    def begin(self) -> None:
        """The stop has begun: from now on, signals do not raise."""
        self._begun = True

    def hurry_by(self, hurry: Callable[[], None]) -> None:
        """Call `hurry` when another signal comes after the first."""
        self._hurry = hurry

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._begun:
            self._hurry()
            return
        self._begun = True
        raise StopRequested(signal.Signals(number).name)

    def _watch_parent(self) -> None:
        # Polled: the kernel's death signal goes by the parent's thread, which may well end first.
        parent = os.getppid()
        if parent <= 1:
            return  # a service manager's, or a container's own
        while not self._left.wait(PARENT_POLL_SECONDS):
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)
                return
