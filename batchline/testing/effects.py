"""What handlers work in when there is no worker: records in memory, and perhaps a connection.

Both go back together to where they were, by the same calls that a worker makes
(workers/engine/run/effects.py).
"""

from __future__ import annotations

from sqlalchemy import Connection

from batchline.testing.records import MemoryRecords
from workers.engine.claim.claims import ClaimedSlice
from workers.engine.run.context import NO_CONNECTION, SliceContext
from workers.engine.run.effects import Savepoint, State
from workers.engine.run.given_connection import (
    ConnectionLost,
    SliceTransaction,
    TransactionEnded,
)


class MemoryContext(SliceContext):
    """A worker's context, with records in memory, and a connection only if the test gave one."""

    def __init__(
        self, claimed: ClaimedSlice, records: MemoryRecords, effects: MemoryEffects | None
    ) -> None:
        given = None if effects is None or effects.inner is None else effects.inner.given
        super().__init__(claimed, given)
        self._records = records
        self._in_database = effects is not None

    @property
    def connection(self) -> Connection:
        """The test's own."""
        if self._connection is None and self._in_database:
            raise RuntimeError(
                "the handler wants a connection, and run_items was given none: "
                "run_items(..., connection=...), of batchline.testing.database() for instance"
            )
        return super().connection

    @property
    def records(self) -> MemoryRecords:  # type: ignore[override]
        """The client's records, in memory."""
        if not self._in_database:
            raise RuntimeError(f"{NO_CONNECTION}, and no records")
        return self._records


class _Savepoint:
    """Of the records, and of the connection if there is one."""

    def __init__(self, records: MemoryRecords, inner: Savepoint | None) -> None:
        self._records = records
        self._kept = records.kept()
        self.inner = inner

    @property
    def is_active(self) -> bool:
        return self.inner is None or self.inner.is_active

    def commit(self) -> None:
        if self.inner is not None:
            self.inner.commit()

    def rollback(self) -> None:
        if self.inner is not None and self.inner.is_active:
            self.inner.rollback()
        self._records.restore(self._kept)


class MemoryEffects:
    """`Effects` over records, and over a connection whose transaction is the test's own.

    All that is done with it is inside one savepoint: `begin_again` goes back to it, `finish` ends
    it.
    """

    def __init__(self, records: MemoryRecords, connection: Connection | None) -> None:
        self._records = records
        if connection is not None and not connection.in_transaction():
            connection.begin()
        self.inner = None if connection is None else SliceTransaction(connection)
        self._outer = self.savepoint()

    def begin_again(self) -> None:
        """Undo all. Raises RuntimeError where a handler has ended the test's transaction."""
        try:
            self.undo(self._outer)
        except (ConnectionLost, TransactionEnded) as error:
            raise RuntimeError(
                "a handler has ended the transaction of the connection that run_items was given"
            ) from error
        self._outer = self.savepoint()

    def finish(self) -> None:
        """Leave the connection as deep in its transaction as it was."""
        if self._outer.is_active:
            self._outer.commit()

    def begin_call(self) -> None:
        """Before a handler is called."""
        if self.inner is not None:
            self.inner.begin_call()

    def savepoint(self) -> _Savepoint:
        """Of both."""
        return _Savepoint(self._records, None if self.inner is None else self.inner.savepoint())

    def state(self) -> State:
        """The connection's; records are always as they should be."""
        return State.ALIVE if self.inner is None else self.inner.state()

    def check(self, savepoint: Savepoint | None) -> None:
        """As a worker looks at its connection."""
        if self.inner is not None:
            inside = savepoint if isinstance(savepoint, _Savepoint) else self._outer
            self.inner.check(inside.inner)

    def undo(self, savepoint: Savepoint) -> None:
        """Of both."""
        if self.inner is not None and isinstance(savepoint, _Savepoint) and savepoint.inner:
            self.inner.undo(savepoint.inner)
        savepoint.rollback()

    def give_up(self) -> None:
        """What comes next is `begin_again`; the test's connection is not thrown away."""
