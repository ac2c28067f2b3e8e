"""Says to a process and its children that they should stop."""

from __future__ import annotations

import mmap


class StopSign:
    """Says to a process and to the children it forks afterwards that they should stop."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Ask the processes to stop. This cannot be undone."""
        self._shared[0] = 1

    def is_set(self) -> bool:
        """Whether they have been asked to stop."""
        return self._shared[0] == 1
