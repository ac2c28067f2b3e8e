"""The connection that handlers are given, and whether its transaction is still what it was.

Effects, outcomes and the check of the claim are one transaction, so only the engine may end it. A
handler that calls `commit`, `rollback` and the like, or says so in SQL, is refused. What it does on
the driver's connection cannot be refused; it is noticed afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import psycopg2.extensions as driver
from sqlalchemy import Connection, NestedTransaction, event

from app.db import sqlstate
from handlers.contract import Reject
from workers.engine.run.effects import Savepoint, State

NEVER_ENDS = "a handler never ends the transaction it is given"

# Statements that end a transaction, or would begin one; savepoints are a handler's to use.
_ENDING = re.compile(
    r"""(?: \s | --[^\n]*+\n | (?>/\*.*?\*/) )*+
    ( COMMIT | END | ABORT | BEGIN | START\s+TRANSACTION | PREPARE\s+TRANSACTION
      | ROLLBACK (?! \s+ (?:WORK\s+|TRANSACTION\s+)? TO\b ) ) \b""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)


class TransactionRefused(Exception):
    """A handler tried to end, or to take away, the transaction it was given."""


class TransactionEnded(Reject):
    """A handler did end it, which takes the effects of its neighbours along. FAILED at once."""

    default_code = 500

    def __init__(self) -> None:
        super().__init__(
            "The handler ended the transaction it was given (on the driver's connection); "
            f"{NEVER_ENDS}"
        )


class SwallowedError(Exception):
    """A statement of the handler failed, and it went on as if it had not."""

    def __init__(self) -> None:
        super().__init__(
            "the handler went on after one of its statements had failed, which leaves nothing of "
            "what it did; a statement that may fail belongs in a `with connection.begin_nested():`"
        )


class GivenConnection(Connection):
    """The slice's connection in all but the right to end its transaction.

    It has the state of the connection that it is made of, not a copy: `begin_nested`, execution and
    errors are the same for both.
    """

    # Set by whatever is refused.
    refused: str | None

    def __init__(self, connection: Connection) -> None:
        # Not by Connection.__init__, which would take another connection from the pool.
        self.__dict__ = connection.__dict__
        self.refused = None

    def commit(self) -> NoReturn:
        """Refused."""
        self._refuse("commit()")

    def rollback(self) -> NoReturn:
        """Refused."""
        self._refuse("rollback()")

    def close(self) -> NoReturn:
        """Refused."""
        self._refuse("close()")

    def begin(self) -> NoReturn:
        """Refused: one has begun."""
        self._refuse("begin()")

    def begin_twophase(self, xid: Any | None = None) -> NoReturn:
        """Refused: one has begun."""
        self._refuse("begin_twophase()")

    def invalidate(self, exception: BaseException | None = None) -> None:
        """Refused, but to SQLAlchemy itself, which gives the error that the connection broke by."""
        if exception is None:
            self._refuse("invalidate()")
        super().invalidate(exception)

    def detach(self) -> NoReturn:
        """Refused."""
        self._refuse("detach()")

    def _refuse(self, what: str) -> NoReturn:
        self.refused = f"connection.{what} is refused: {NEVER_ENDS}"
        raise TransactionRefused(self.refused)

    def look_at(self, statement: str) -> None:
        """Refuse a statement that ends the transaction."""
        if found := _ENDING.match(statement):
            self._refuse(f"execute({found[1].upper()})")


class ConnectionLost(Exception):
    """The connection broke while a handler used it."""


def _look(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    """Before any statement of an engine: those of handlers may be refused."""
    if isinstance(connection, GivenConnection):
        connection.look_at(statement)


class SliceTransaction:
    """The transaction that a slice's handlers work in. Looking at it costs no round trip."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.given = GivenConnection(connection)
        self._root = connection.get_transaction()
        if not event.contains(connection.engine, "before_cursor_execute", _look):
            event.listen(connection.engine, "before_cursor_execute", _look)
        self._driver: Any = connection.connection.driver_connection

    def begin_call(self) -> None:
        """Before a handler is called."""
        self.given.refused = None

    def savepoint(self) -> NestedTransaction:
        """One of Postgres, to which `undo` leads back."""
        return self.connection.begin_nested()

    def give_up(self) -> None:
        """Throw the connection away: what state it is in cannot be known."""
        self.connection.invalidate()

    def state(self) -> State:
        """How it is now, as far as can be told from here."""
        connection, root = self.connection, self._root
        if connection.invalidated:
            return State.LOST
        if self._driver.closed:  # 1 by whoever called its close(), else it broke
            return State.ENDED if self._driver.closed == 1 else State.LOST
        if root is None or not root.is_active or connection.get_transaction() is not root:
            return State.ENDED
        status = self._driver.get_transaction_status()
        if status == driver.TRANSACTION_STATUS_INTRANS:
            return State.ALIVE
        if status == driver.TRANSACTION_STATUS_INERROR:
            return State.FAILED
        return State.LOST if status == driver.TRANSACTION_STATUS_UNKNOWN else State.ENDED

    def check(self, savepoint: Savepoint | None) -> None:
        """After a handler said that all is well; raises what is not.

        ConnectionLost, TransactionEnded, SwallowedError or TransactionRefused. `savepoint`: the one
        that the handler was called in.
        """
        state = self.state()
        if state is State.LOST:
            raise ConnectionLost
        if state is State.ENDED:
            raise TransactionEnded
        if state is State.FAILED:
            raise SwallowedError
        if self.given.refused is not None:
            raise TransactionRefused(self.given.refused)
        for inner in self._left_open(savepoint):
            inner.commit()

    def undo(self, savepoint: Savepoint) -> None:
        """Back to the savepoint that a handler was called in.

        Raises ConnectionLost or TransactionEnded where there is no way back.
        """
        state = self.state()
        if state is State.ENDED:
            raise TransactionEnded
        if state is State.LOST:
            raise ConnectionLost
        try:
            for inner in self._left_open(savepoint):
                inner.close()
            savepoint.rollback()
        except Exception as error:
            raise TransactionEnded if is_gone(error) else ConnectionLost from error

    def _left_open(self, savepoint: Savepoint | None) -> Iterator[NestedTransaction]:
        """The savepoints that the handler has begun and not ended."""
        while (inner := self.connection.get_nested_transaction()) is not savepoint:
            if inner is None:
                return
            yield inner


def is_gone(error: BaseException) -> bool:
    """Whether `error`, of a savepoint's end, says that savepoint or transaction are no more."""
    return sqlstate(error) in ("3B001", "25P01")
