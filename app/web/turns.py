"""What a view tells the server that calls it: whose request it is, and when it only waits.

The server gives each client a share of its places at work. Under another server, and in tests
without one, all of this does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from flask import has_request_context, request

TURN = "batchline.turn"
"""Where the server leaves it in a request's environ."""


class Turn(Protocol):
    """The request's turn at work."""

    def identified(self, client: Hashable, secret: str) -> None:
        """The request is this client's, by that secret. Raises Busy."""

    def resting(self) -> AbstractContextManager[None]:
        """While the block lasts the thread does no work: another request may have its place."""

    def storing(self) -> AbstractContextManager[None]:
        """While the block lasts the request has one of the places to store much in.

        They are fewer than the connections to the database, so that reads always find one. Raises
        Busy where none becomes free in time.
        """


def identified(client: Hashable, secret: str) -> None:
    """Tell the server whose request this is, and by which secret of it. Raises Busy."""
    turn = _turn()
    if turn is not None:
        turn.identified(client, secret)


def resting() -> AbstractContextManager[None]:
    """Wait in this block for what is neither the processor nor Postgres."""
    return rest()()


def storing() -> AbstractContextManager[None]:
    """Store many items in this block, beside few others who do."""
    turn = _turn()
    return nullcontext() if turn is None else turn.storing()


def rest() -> Callable[[], AbstractContextManager[None]]:
    """The same for an answer that is made after its view has returned: call it for each rest."""
    turn = _turn()
    return nullcontext if turn is None else turn.resting


def _turn() -> Turn | None:
    return request.environ.get(TURN) if has_request_context() else None
