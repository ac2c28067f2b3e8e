"""A process's operations and those that others have published, as one registry."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

import structlog
from sqlalchemy import Connection, Engine

from app.core.errors import Unavailable
from app.db import transaction
from app.db.statements.rows import row_of, rows_of
from app.db.statements.served_operations import (
    FIND_OPERATION,
    LIST_OPERATIONS,
    NOTE_MISSING_OPERATION,
    KnownOperation,
    Whereabouts,
)
from app.operations.description import stand_in
from app.operations.publishing import Publisher
from handlers import Operation, Registry

log = structlog.get_logger(__name__)

PATIENCE = 300.0
"""Seconds that items wait for a worker with their operation, once nobody has it."""
REMEMBERED = 24 * 3600.0
"""Seconds for which an operation that only workers had is still listed, as not served."""
_FRESH = 1.0


def list_operations(connection: Connection, *, stale: float) -> list[KnownOperation]:
    """All operations that were ever published. `stale`: seconds of silence that end a worker."""
    return rows_of(KnownOperation, connection.execute(LIST_OPERATIONS, {"stale": stale}))


def is_remembered(one: KnownOperation) -> bool:
    """Whether it is still listed, though only workers had it."""
    lately = one.seconds_without is not None and one.seconds_without < REMEMBERED
    return lately and one.description is not None


class Where(Enum):
    """Who has an operation, as a worker that is to run it sees it."""

    HERE = "this process"
    ELSEWHERE = "another live worker"
    PERHAPS = "a live worker of a release that does not tell may have it"
    NOBODY = "it was registered, and its worker may come back"
    GONE = "it was registered, and nobody has had it for too long"
    UNKNOWN = "it was never registered"


class KnownOperations(Registry):
    """`own`, and stand-ins for what others have.

    What the process has itself costs nothing to ask for. What it lacks is looked up, at most once a
    second, in a transaction of its own; raises Unavailable where the database is away.

    `get` and iteration give whatever was ever published. `in` is for what may be submitted: what
    the process has, or a live worker. It denies nothing by what was read before it was asked: by
    then another process may have told the client that a worker has come. Safe to share between
    threads.
    """

    def __init__(
        self,
        own: Registry,
        engine: Engine,
        *,
        stale: float,
        patience: float = PATIENCE,
    ) -> None:
        self.own = own
        self._engine = engine
        self._stale = stale
        self.patience = patience
        self._publisher = Publisher(engine, own)
        self._loading = threading.Lock()
        self._loaded_at = float("-inf")
        self._stand_ins: dict[str, Operation] = {}
        self._served: frozenset[str] = frozenset()
        self._taken: frozenset[str] = frozenset()
        self._untold = False

    def __iter__(self) -> Iterator[Operation]:
        self._look()
        all_ = {**self._stand_ins, **{operation.name: operation for operation in self.own}}
        return iter(sorted(all_.values(), key=lambda operation: operation.name))

    def __contains__(self, name: object) -> bool:
        if name in self.own:
            return True
        asked = time.monotonic()
        self._look()
        if name not in self._served:
            self._look(asked)
        return name in self._served

    def get(self, name: str | None, *, since: float | None = None) -> Operation | None:
        """The process's own operation of that name, or another's stand-in, or None."""
        if name is None:
            return None
        found = self.own.get(name)
        if found is None:
            self._look()
            found = self._stand_ins.get(name)
        if found is None and since is not None:
            self._look(since)
            found = self._stand_ins.get(name)
        return found

    def where(self, name: str | None) -> Where:
        """Who can run it, as it is now. For what the process has itself no database is asked.

        Where nobody has it, that is noted, and after `PATIENCE` seconds it counts as GONE.
        """
        if name is None or name in self.own:
            return Where.HERE
        with transaction(self._engine) as connection:
            this = {"name": name, "stale": self._stale}
            found = row_of(Whereabouts, connection.execute(FIND_OPERATION, this))
            assert found is not None  # noqa: S101 (an aggregate is always a row)
            if found.served:
                return Where.ELSEWHERE
            if found.perhaps:
                return Where.PERHAPS
            if not found.registered:
                return Where.UNKNOWN
            without = connection.execute(NOTE_MISSING_OPERATION, {"name": name}).scalar_one()
        return Where.NOBODY if without < self.patience else Where.GONE

    def nobody_takes(self, operations: Iterable[str] | None) -> bool:
        """Whether no live worker that has one of them takes it up; None: none takes anything up.

        By a copy that is read at most once a second, for however many this is asked; raises
        nothing. False where that is not known: nothing could be read yet, or there is a live worker
        of a release that does not tell what it has.
        """
        try:
            self._look()
        except Unavailable:
            # Whoever asks has been answered all else, and may have changed something by it.
            log.info("operations.not_read")
        if self._loaded_at < 0 or self._untold:
            return False
        return not self._taken if operations is None else self._taken.isdisjoint(operations)

    def publish(self) -> None:
        """Tell the others what this process has, the first time that this is called."""
        self._publisher.publish()

    def add(self, operation: Operation) -> None:
        """Register it as the process's own."""
        self.own.add(operation)

    def discard(self, name: str) -> None:
        """Forget the process's own."""
        self.own.discard(name)

    def _look(self, since: float | None = None) -> None:
        """Read again what was published, unless that has just been done.

        `since`: unless it has been done since that moment.
        """
        asked = time.monotonic()
        enough = asked - _FRESH if since is None else since
        if self._loaded_at >= enough:
            return
        # One thread reads. Where there is something to go on with, the others do: they may hold a
        # connection that this one needs.
        must_wait = since is not None or self._loaded_at < 0
        if not self._loading.acquire(timeout=_FRESH if must_wait else 0):
            return
        try:
            if self._loaded_at >= enough:
                return
            begun = time.monotonic()
            with transaction(self._engine) as connection:
                found = list_operations(connection, stale=self._stale)
            self._served = frozenset(one.name for one in found if one.served)
            self._taken = frozenset(one.name for one in found if one.taken)
            self._untold = any(one.perhaps for one in found)
            self._stand_ins = dict(_stand_ins(found))
            self._loaded_at = begun
        finally:
            self._loading.release()


def _stand_ins(found: list[KnownOperation]) -> Iterator[tuple[str, Operation]]:
    for one in found:
        operation: Any = stand_in(one.name, one.description)
        if operation is not None:
            yield one.name, operation
