"""Celery's result backend, for a program in which nobody waits for a task's result."""

from __future__ import annotations

from typing import Any

from celery.backends.redis import RedisBackend


class UnawaitedResults(RedisBackend):
    """Chords' counts in Redis, and no more.

    Celery's own remembers each task of a chord that it sends, and subscribes to a channel for its
    result: for as long as the process lives, where the task stores none.
    """

    def add_pending_result(
        self, result: Any, weak: bool = False, start_drainer: bool = True
    ) -> Any:
        """Do not wait for it."""
        return result

    def add_pending_results(self, results: Any, weak: bool = False) -> Any:
        """Do not wait for any of them."""
        return list(results)
