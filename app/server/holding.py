"""The places of one connection: those that it holds, and the one that it waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gunicorn.http.message import Request

from app.server.places import Begin, Place


class Holding:
    """Which places a connection's request has. `web`: as the connection has it.

    `client`: whom they count to, None as long as nobody knows. `at_work`: the place that its thread
    has. `receiving`: the one to send a body in, held or waited for.
    """

    def __init__(self, web: Any) -> None:
        self.client: Any = None
        self.at_work: Place | None = None
        self.receiving: Place | None = None
        self._waits_for: Place | None = None
        self._web = web

    def ask_to_receive(self, begin: Callable[[], None]) -> None:
        """Ask for a place to send a body in; `begin` is then called by the loop."""
        self.receiving = self._web.receiving.ask(self.client, lambda _: self._web.loop.call(begin))

    def ask_to_work(self, begin: Begin, *, first: bool = False) -> None:
        """Ask for a place at work; `begin` is called by whoever gives it. `first`: as in Places."""
        self._waits_for = self._web.work.ask(self.client, begin, first=first)

    def give_up_work(self, place: Place) -> None:
        """Give that place at work back, which has just been got."""
        self._web.work.leave(place)
        self._waits_for = None

    def end(self) -> None:
        """It has been answered, in a thread that has given its place at work back."""
        self._waits_for = None
        self.end_receiving()

    def end_receiving(self) -> None:
        """Give the place to send a body in back, if there is one."""
        place, self.receiving = self.receiving, None
        if place is not None:
            self._web.receiving.leave(place)

    def is_known_by_now(self, request: Request) -> bool:
        """Whether it waited in the strangers' line, and others with its credentials were known."""
        if self.client is not None:
            return False
        self.client = self._web.client_of(request)
        return self.client is not None

    def withdraw(self) -> bool:
        """Stop waiting; False if it waits for nothing, or has just got it."""
        place = self._waits_for or self.receiving
        places = self._web.work if self._waits_for else self._web.receiving
        return place is not None and places.withdraw(place)
