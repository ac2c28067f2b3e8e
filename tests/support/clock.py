"""A clock that the test puts forward, where the code would wait for the real one."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.stack import wait_for


class Clock:
    """Given as `clock`: stands still until it is put `forward`."""

    def __init__(self, now: float = 1000.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """The time, in seconds."""
        return self._now

    def forward(self, seconds: float) -> None:
        """Let so many seconds have passed."""
        self._now += seconds

    def forward_until(self, condition: Callable[[], bool]) -> None:
        """Put it forward by a second, again and again, until `condition` holds."""

        def holds() -> bool:
            self.forward(1)
            return condition()

        wait_for(holds)
