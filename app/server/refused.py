"""What the server refuses by itself: counted, and told once a second of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from app.events.listeners import listener

log = structlog.get_logger(__name__)


class Refused:
    """For the loop's thread alone. `later`: has something done in another thread.

    A line and a count for each refusal would be work that whoever is refused can ask for.
    """

    def __init__(self, later: Callable[[Callable[[], None]], None]) -> None:
        self._later = later
        self._numbers: Counter[str] = Counter()
        self._last: dict[str, str] = {}

    def note(self, kind: str, peer: Any) -> None:
        """One was refused. `kind`: the end of the problem's type. `peer`: where it came from."""
        self._numbers[kind] += 1
        self._last[kind] = str(peer[0]) if isinstance(peer, tuple) and peer else str(peer or "")

    def tell(self) -> None:
        """Log and count what there was since; called once a second."""
        if not self._numbers:
            return
        numbers, self._numbers = self._numbers, Counter()
        for kind, number in numbers.items():
            log.warning("connection.refused", kind=kind, number=number, address=self._last[kind])
        self._last.clear()
        self._later(partial(listener().refused, dict(numbers)))
