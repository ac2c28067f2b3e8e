"""The connections of a process: how many there are, what waits to be taken, and who goes first."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Hashable

from app.server import bounds
from app.server.connection import ASKS, CLOSING, FLUSH, GONE, HEAD, HELD, IDLE, Connection

# Seconds. A request that was just asked for is on its way.
_OLD = 1.0
_STUCK = 5.0


class Crowd:
    """All of them, some also by what they wait for, in the order in which they came to that.

    `most`: how many there may be. `changed` is told how many there are. `unread`: bytes of answers
    that wait to be taken, and of what these keep. For the loop's thread alone.
    """

    def __init__(self, most: int, changed: Callable[[int], None]) -> None:
        self.most = most
        self.unread = 0
        self._changed = changed
        self._all: set[Connection] = set()
        self._waiting: dict[str, dict[Connection, None]] = {
            state: {} for state in (HEAD, IDLE, ASKS, HELD, FLUSH, CLOSING)
        }

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: Connection) -> None:
        """One more."""
        self._all.add(connection)
        self._changed(len(self._all))

    def everybody(self) -> list[Connection]:
        """All, in a list that stays as it is."""
        return list(self._all)

    def moved(self, connection: Connection, state: str) -> None:
        """The connection comes into that state."""
        if connection.state == FLUSH:
            self.unread -= connection.keeps
        if state == FLUSH:
            self.unread += connection.keeps
        if (left := self._waiting.get(connection.state)) is not None:
            left.pop(connection, None)
        if (entered := self._waiting.get(state)) is not None:
            entered[connection] = None
        elif state == GONE:
            self._all.discard(connection)
            self._changed(len(self._all))

    def make_room(self) -> bool:
        """Close one for another that comes; False where none has been waiting for a second.

        First who has its answer, or would not wait for it, then whose head is slow, since nothing
        of it is lost. Then who has been idle for longest; who waits to send a body in, which is
        told so; and who takes nothing.
        """
        now = time.monotonic()
        for state in (CLOSING, HELD, HEAD, IDLE, ASKS):
            oldest = next(iter(self._waiting[state]), None)
            old = 0.0 if state == HELD else _OLD
            if oldest is not None and now - oldest.since >= old and oldest.make_room():
                return True
        slowest = min(self._waiting[FLUSH], key=_moved_at, default=None)
        if slowest is None or now - _moved_at(slowest) < _STUCK:
            return False
        slowest.vanish(reset=True)
        return True

    def unread_more(self, connection: Connection) -> None:
        """The connection, in FLUSH, has an answer that was not taken. Past what may be, some go."""
        self.unread += connection.outgoing.held
        if self.unread <= bounds.MOST_UNREAD:
            return
        taken: Counter[Hashable] = Counter()
        slow: dict[Hashable, deque[Connection]] = {}
        for each in sorted(self._waiting[FLUSH], key=_moved_at):
            taken[each.holding.client] += _held_by(each)
            if each is not connection:
                slow.setdefault(each.holding.client, deque()).append(each)
        while self.unread > bounds.MOST_UNREAD and slow:
            client = max(slow, key=taken.__getitem__)
            first = slow[client].popleft()
            if not slow[client]:
                del slow[client]
            taken[client] -= _held_by(first)
            first.vanish(reset=True)


def _held_by(connection: Connection) -> int:
    return connection.outgoing.held + connection.keeps


def _moved_at(connection: Connection) -> float:
    return connection.outgoing.moved_at
