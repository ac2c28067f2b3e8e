"""Places, of which each client gets a fair share: at work, or to send a body in.

Those who find none wait in line, a line a client, and the lines have their turns one after the
other. Waiting costs nothing but memory: who waits is called when its place is there. Whatever is
done here takes as long for a line of thousands as for one of two.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from app.server.company import Company

Begin = Callable[["Place"], None]


@dataclass(slots=True, eq=False)
class Place:
    """One place, held or waited for. `begin` is called with it, in whichever thread, once it is.

    `first`: before others of its client.
    """

    client: Hashable
    begin: Begin
    first: bool = False
    held: bool = False


@dataclass(slots=True)
class _Line:
    """A client's. Those that go first, and the others; each in the order in which they came."""

    first: OrderedDict[Place, None] = field(default_factory=OrderedDict)
    others: OrderedDict[Place, None] = field(default_factory=OrderedDict)

    def of(self, place: Place) -> OrderedDict[Place, None]:
        return self.first if place.first else self.others

    def next(self) -> Place:
        return (self.first or self.others).popitem(last=False)[0]

    def __bool__(self) -> bool:
        return bool(self.first or self.others)


class Places:
    """`most` places, of which a client gets at most `most_each`; safe to share between threads.

    When one client asks for more its requests wait for each other, and nobody else's do. When
    clients together ask for more than there is, the next free place is the next client's in turn.
    `company`: while a client is not alone it gets at most `beside`; and `just_beside` while another
    has asked for something this very moment, and all others have what they asked for: then one who
    asks for more than it gets has only as much as whoever asks for little. `spare`: the last so
    many are for those who hold none, so that whoever comes finds one beside a few who take all they
    can: for places that are held for as long as a client likes.
    """

    def __init__(
        self,
        most: int,
        most_each: int,
        *,
        beside: int | None = None,
        just_beside: int | None = None,
        company: Company | None = None,
        spare: int = 0,
    ) -> None:
        self._free = most
        self._most_each = most_each
        self._beside = most_each if beside is None else beside
        self._just_beside = self._beside if just_beside is None else just_beside
        self._company = company
        self._spare = spare
        self._lock = threading.Lock()
        self._held: dict[Hashable, int] = {}
        self._lines: OrderedDict[Hashable, _Line] = OrderedDict()

    def ask(self, client: Hashable, begin: Begin, *, first: bool = False) -> Place:
        """A place for `client`. `begin` is called once it is held, maybe before this returns.

        `first`: for who goes on with what it has begun.
        """
        place = Place(client, begin, first)
        with self._lock:
            if self._company is not None:
                self._company.comes(client)
            if not self._lines and self._may_have(client):
                granted = [self._give(place)]
            else:
                self._lines.setdefault(client, _Line()).of(place)[place] = None
                granted = self._next()
        for each in granted:
            each.begin(each)
        return place

    def leave(self, place: Place) -> None:
        """Give the place back, once."""
        with self._lock:
            if not place.held:
                return
            self._take_back(place)
            granted = self._next()
        for each in granted:
            each.begin(each)

    def look(self) -> None:
        """Give out what a client may have by now because it has come to be alone."""
        with self._lock:
            granted = self._next()
        for each in granted:
            each.begin(each)

    def withdraw(self, place: Place) -> bool:
        """Stop waiting for the place; False if it has been got meanwhile."""
        with self._lock:
            line = self._lines.get(place.client)
            if line is None or place not in line.of(place):
                return False
            del line.of(place)[place]
            if not line:
                del self._lines[place.client]
            return True

    def rename(self, place: Place, client: Hashable) -> bool:
        """The held place turns out to be this client's; False if that has more than its share."""
        if place.client == client:
            return True
        with self._lock:
            if not place.held:
                return True
            self._take_back(place)
            place.client = client
            if self._company is not None:
                self._company.comes(client)
            within = self._may_have(client)
            self._give(place)
            granted = self._next()
        for each in granted:
            each.begin(each)
        return within

    def _may_have(self, client: Hashable) -> bool:
        """Whether there is one more for the client."""
        held = self._held.get(client, 0)
        return self._free > (self._spare if held else 0) and held < self._most_of(client)

    def _most_of(self, client: Hashable) -> int:
        if self._company is None or self._company.is_alone(client):
            return self._most_each
        if self._only_one_waiting(client) and self._company.is_beside(client):
            return self._just_beside
        return self._beside

    def _only_one_waiting(self, client: Hashable) -> bool:
        """Whether nobody but the client, if it does, waits for more than it has."""
        return len(self._lines) == (client in self._lines)

    def _give(self, place: Place) -> Place:
        self._free -= 1
        self._held[place.client] = self._held.get(place.client, 0) + 1
        place.held = True
        return place

    def _take_back(self, place: Place) -> None:
        place.held = False
        self._free += 1
        left = self._held[place.client] - 1
        if left:
            self._held[place.client] = left
        else:
            del self._held[place.client]

    def _next(self) -> list[Place]:
        """Give free places out, to a client after the other. The caller holds the lock."""
        granted: list[Place] = []
        while self._free > 0 and self._lines:
            for client in self._lines:
                if self._may_have(client):
                    break
            else:
                break
            line = self._lines.pop(client)
            granted.append(self._give(line.next()))
            if line:
                # Its next turn comes after all others'.
                self._lines[client] = line
        return granted
