"""Where the effects of handlers go that are undone unless their item completes: a protocol.

In a worker that is the slice's transaction (given_connection.py). Tests of handlers have another,
in memory (batchline/testing).
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class State(Enum):
    """How a transaction is, after a handler used it."""

    ALIVE = "alive"
    FAILED = "a statement failed"
    ENDED = "the handler has ended it"
    LOST = "the connection is gone"


class Savepoint(Protocol):
    """What was there before a handler was called."""

    @property
    def is_active(self) -> bool:
        """Whether there is a way back to it."""
        ...

    def commit(self) -> None:
        """Keep what has been done since."""
        ...

    def rollback(self) -> None:
        """Undo what has been done since."""
        ...


class Effects(Protocol):
    """A transaction that handlers work in, call by call."""

    def begin_call(self) -> None:
        """Before a handler is called."""
        ...

    def savepoint(self) -> Savepoint:
        """Where `undo` leads back to."""
        ...

    def state(self) -> State:
        """How it is now, as far as can be told from here."""
        ...

    def check(self, savepoint: Savepoint | None) -> None:
        """After a handler said that all is well; raises what is not.

        `savepoint`: the one that the handler was called in.
        """
        ...

    def undo(self, savepoint: Savepoint) -> None:
        """Back to the savepoint. Raises ConnectionLost or TransactionEnded where there is none."""
        ...

    def give_up(self) -> None:
        """Nothing of it can be kept: what comes next begins anew."""
        ...
