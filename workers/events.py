"""What workers tell Flower of their tasks: what it shows, and many at once.

Celery sends events as soon as its loop comes round, which with small tasks means two messages a
task. Who looks on does not mind half a second, and gets some hundred in a message.
"""

from __future__ import annotations

from typing import Any

from celery.app.events import Events as CeleryEvents
from celery.events.dispatcher import EventDispatcher

# What makes up a task's life in Flower. Not told: that a task was sent, by whoever sent it.
_TOLD = frozenset(
    {
        "task-received",
        "task-started",
        "task-succeeded",
        "task-failed",
        "task-retried",
        "task-rejected",
        "task-revoked",
    }
)
_FLUSH_EVERY = 0.5
_MOST_AT_ONCE = 200


class Dispatcher(EventDispatcher):
    """Keeps events of tasks for half a second, where the worker has a loop to send them by."""

    def __init__(
        self, connection: Any = None, on_send_buffered: Any = None, **options: Any
    ) -> None:
        self._loop = getattr(getattr(on_send_buffered, "__self__", None), "hub", None)
        self._flushing: Any = None
        if self._loop is not None:
            options |= {"buffer_limit": _MOST_AT_ONCE}
            on_send_buffered = None
        super().__init__(connection, on_send_buffered=on_send_buffered, **options)

    def enable(self) -> None:
        """Tell from now on."""
        super().enable()
        if self._loop is not None and self._flushing is None:
            self._flushing = self._loop.call_repeatedly(_FLUSH_EVERY, self.flush)

    def send(self, type: str, *args: Any, **options: Any) -> Any:
        """Tell it, if it is of those that are told."""
        if type in _TOLD or not type.startswith("task-"):
            return super().send(type, *args, **options)
        return None

    def close(self) -> None:
        """Tell no more."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        super().close()


class Events(CeleryEvents):
    """Celery's, with that dispatcher."""

    dispatcher_cls = "workers.events:Dispatcher"
