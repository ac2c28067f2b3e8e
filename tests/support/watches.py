"""What goes on inside a `BatchWatch`: who is held, and what its looks cost."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import Engine, event

from app.batches.watching import BatchWatch


def held(watch: BatchWatch) -> tuple[int, int]:
    """How many wait for a batch to end, and how many follow one."""
    with watch._lock:
        watches = list(watch._watches.values())
        return sum(each.waiting for each in watches), sum(each.following for each in watches)


def has_looked(watch: BatchWatch, moment: float) -> bool:
    """Whether all batches that are watched were looked at then, or later."""
    with watch._lock:
        return all(each.looked >= moment for each in watch._watches.values())


class Looks:
    """Counts the looks at batches over `engine`, and the threads that made them."""

    def __init__(self, engine: Engine) -> None:
        self.count = 0
        self.threads: set[str] = set()
        event.listen(engine, "after_cursor_execute", self._note)

    def _note(self, *arguments: Any) -> None:
        if "FROM batches" in arguments[2]:
            self.count += 1
            self.threads.add(threading.current_thread().name)
