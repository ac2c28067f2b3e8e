"""What searches found, for pages that are left open: they ask again each second.

No index finds text, so a search reads thousands of rows. It is made again once a hundred times as
long has passed as it took, so that it costs a hundredth of a core however many ask: 10 ms are not
noticed, and of what takes longer a page learns later, by `_MOST` seconds at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

_RESTS = 100
_MOST = 5.0
_MOST_KEPT = 100


@dataclass(slots=True)
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    until: float = 0.0
    found: Any = None


class Searches:
    """Those of one process; safe to share between its threads. `clock`: monotonic, in seconds.

    At most `_MOST_KEPT` are kept, a page of each; the one that was first gives way.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Hashable, _Kept] = {}

    def again(self, asked: Hashable, search: Callable[[], Any]) -> Any:
        """What `search` finds, or found lately. `asked`: whose it is, and for what."""
        with self._lock:
            if asked not in self._kept and len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            kept = self._kept.setdefault(asked, _Kept())
        with kept.lock:
            began = self._clock()
            if began >= kept.until:
                kept.found = search()
                ended = self._clock()
                kept.until = ended + min(_MOST, _RESTS * (ended - began))
            return kept.found
