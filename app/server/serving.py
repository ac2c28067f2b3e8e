"""What the application can tell the server while it answers a request (`app.web.turns`)."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from app.core.computing import unhurried
from app.core.errors import Busy
from app.server.bounds import STORING_SECONDS
from app.server.holding import Holding
from app.server.places import Place, Places
from app.web.turns import Turn

_TOO_MANY = "Too many bodies are being sent just now; send this one again in a moment."
_BUSY = "Too many large submissions are being stored just now; send this one again in a moment."


class Serving(Turn):
    """One request's. `holding`: the places of its connection."""

    def __init__(self, web: Any, holding: Holding) -> None:
        self._web = web
        self._holding = holding

    def identified(self, client: Hashable, secret: str) -> None:
        """It is this client's: its places count as that client's from now on.

        Raises Busy where it has come with so many bodies at once, before it was known, that it
        would have more than its share for as long as it likes to send them.
        """
        holding, web = self._holding, self._web
        if holding.client == client:
            return
        holding.client = client
        web.known.note(secret, client)
        web.work.rename(holding.at_work, client)
        if holding.receiving and not web.receiving.rename(holding.receiving, client):
            raise Busy(_TOO_MANY, retry_after=2)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Wait without a place at work, and get one again."""
        holding = self._holding
        assert holding.at_work is not None  # noqa: S101 (a thread has it)
        self._web.work.leave(holding.at_work)
        try:
            with unhurried():
                yield
        finally:
            # Before those that have not begun: each that goes on gives its thread back soon.
            holding.at_work = self._got(self._web.work, first=True)

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Work in a place to store in, and meanwhile in no other."""
        queued = self._queue()
        with self.resting():
            try:
                with self._in(self._web.storing):
                    yield
            finally:
                # Now, since those that wait for it have the places at work.
                if queued is not None:
                    self._web.queued.leave(queued)

    def _queue(self) -> Place | None:
        """Be one of those whose threads may wait to store; None for one that is without this.

        Who cannot be yet keeps its place at work meanwhile, so that no more of its client come so
        far. Raises Busy.
        """
        # With a place to send a body in it is one already.
        if self._holding.receiving is not None:
            return None
        return self._got_in_time(self._web.queued)

    @contextmanager
    def _in(self, places: Places) -> Iterator[None]:
        place = self._got_in_time(places)
        try:
            yield
        finally:
            places.leave(place)

    def _got_in_time(self, places: Places) -> Place:
        place = self._got(places, within=STORING_SECONDS)
        if place is None:
            raise Busy(_BUSY, retry_after=5)
        return place

    def _got(
        self, places: Places, *, within: float | None = None, first: bool = False
    ) -> Place | None:
        """A place, waited for; None if there was none in so many seconds."""
        got = threading.Event()
        place = places.ask(self._holding.client, lambda _: got.set(), first=first)
        with unhurried():
            if not got.wait(within) and places.withdraw(place):
                return None
        return place
