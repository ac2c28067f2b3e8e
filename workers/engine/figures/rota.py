"""Whose turn was last: each process goes round the clients in line by itself."""

from __future__ import annotations

import threading
from uuid import UUID

from app.core.ids import new_id


class Rota:
    """The client whose turn was last, by line. Safe to share between threads.

    It begins anywhere, so that several processes do not go round in step.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, UUID] = {}

    def last(self, line: str) -> UUID:
        """Whose turn was last there."""
        with self._lock:
            return self._last.setdefault(line, new_id())

    def note(self, line: str, client_id: UUID) -> None:
        """It was this client's turn."""
        with self._lock:
            self._last[line] = client_id
