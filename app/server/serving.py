"""What the application can tell the server while it answers a request (`app.web.turns`)."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gunicorn.http.message import Request

from app.core.errors import Busy
from app.server.bounds import STORING_SECONDS
from app.server.places import Place, Places
from app.web.turns import Turn

_BUSY = "Too many large submissions are being stored just now; send this one again in a moment."

if TYPE_CHECKING:
    from app.server.connection import Connection


class Serving(Turn):
    """One request's."""

    def __init__(self, web: Any, connection: Connection, request: Request) -> None:
        self._web = web
        self._connection = connection
        self._request = request

    def identified(self, client: Hashable) -> None:
        """It is this client's: its place counts as that client's from now on."""
        connection = self._connection
        if connection.client == client:
            return
        connection.client = client
        self._web.known.note(self._request, client)
        for places, place in (
            (self._web.work, connection.place),
            (self._web.receiving, connection.receiving),
        ):
            if place is not None:
                places.rename(place, client)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Wait without a place at work, and get one again."""
        connection = self._connection
        assert connection.place is not None  # noqa: S101 (a thread has it)
        self._web.work.leave(connection.place)
        try:
            yield
        finally:
            connection.place = self._got(self._web.work)

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Work in a place to store in, and meanwhile in no other."""
        with self.resting():
            place = self._got(self._web.storing, within=STORING_SECONDS)
            if place is None:
                raise Busy(_BUSY, retry_after=5)
            try:
                yield
            finally:
                self._web.storing.leave(place)

    def _got(self, places: Places, within: float | None = None) -> Place | None:
        """A place, waited for; None if there was none in so many seconds."""
        got = threading.Event()
        place = places.ask(self._connection.client, lambda _: got.set())
        if not got.wait(within) and places.withdraw(place):
            return None
        return place
