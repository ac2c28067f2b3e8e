"""Those who have only a little to do: pieces of what takes long wait for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

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
