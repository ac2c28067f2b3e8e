"""What passes between the engine and a handler.

A handler is called with one `Item` (or a list of them, if its operation is `bulk`) and a
`Context`, and answers with an `Outcome`. It says that an item did not succeed by raising
`Reject`, `Retry` or `Defer`; a bulk handler puts them into its list of answers instead, since
one item's problem is not its neighbours'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Item:
    """One item, already validated by its operation's schema.

    `index`: position in its batch, from 0. `key`: the record it touches, or None.
    `data`: the loaded values. `attempt`: 1 for the first try, also for the
    first after a caller's retry.
    """

    index: int
    key: str | None
    data: dict[str, Any]
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """An item that succeeded. `result` is any JSON value, shown with the item; None for nothing.

    `pace`: seconds for which whoever was called wants no more calls. Of an operation that has a
    breaker nothing begins before, in any worker (of one with bases: nothing for that base).
    """

    result: Any = None
    message: str | None = None
    pace: float | None = None


class Problem(Exception):
    """Why an item did not succeed. `code` is an HTTP-like number shown with the item."""

    default_code = 500

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = self.default_code if code is None else code


class Reject(Problem):
    """The item can never succeed: it ends FAILED at once, with this message and code."""

    default_code = 422


class Retry(Problem):
    """The item may succeed later. `after`: seconds to wait, or None for the usual backoff."""

    default_code = 503

    def __init__(
        self, message: str, *, after: float | None = None, code: int | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.after = after


class Defer(Problem):
    """The item waits for another item of its batch.

    It is tried again once others have ended, without costing an attempt. When nothing is left
    that could bring it forward it ends FAILED, with this message and code.
    """

    default_code = 404


Answer = Outcome | Problem


class Records(Protocol):
    """The client's records in Batchline's own database.

    Every call runs in the transaction that also writes the items' outcomes, so an effect and its
    outcome are committed together or not at all. `key` is what `Operation.key_of` gives.
    """

    def upsert(self, collection: str, rows: Sequence[tuple[str, Any]]) -> list[bool]:
        """Write `(key, data)` rows with distinct keys; True where the record was new."""
        ...

    def get(self, collection: str, keys: Sequence[str], *, lock: bool = False) -> dict[str, Any]:
        """The data of those records that exist, by key; `lock` holds them until the commit."""
        ...

    def insert(self, collection: str, rows: Sequence[tuple[str, Any]]) -> list[bool]:
        """Write rows with distinct keys where there is none yet; True where it was written."""
        ...

    def update(self, collection: str, rows: Sequence[tuple[str, Any]]) -> list[bool]:
        """Write rows with distinct keys where there is one already; True where it was written."""
        ...

    def delete(self, collection: str, keys: Sequence[str]) -> list[bool]:
        """Remove records with distinct keys; True where there was one."""
        ...

    def ancestry(
        self, collection: str, keys: Sequence[str], *, parent: str
    ) -> dict[str, str | None]:
        """Parent keys by key, for those of the records that exist and for all that stand above.

        For records that form a tree: the field `parent` of each holds the one part of the key of
        the record above it, text, or null at the top. A parent that does not exist is named by its
        child, and has no entry of its own. A circle is gone around once.
        """
        ...


class Context(Protocol):
    """What a handler may know and use beside its item."""

    @property
    def client_id(self) -> UUID:
        """Whose batch this is. Effects must be scoped to it."""
        ...

    @property
    def batch_id(self) -> UUID:
        """The batch that the item belongs to."""
        ...

    @property
    def records(self) -> Records:
        """The client's records. Only for operations with effects in the database."""
        ...

    @property
    def connection(self) -> Connection:
        """The SQLAlchemy connection of the running transaction; a handler never commits it."""
        ...

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The batch's own metadata, as submitted."""
        ...

    def idempotency_key(self, item: Item) -> str:
        """`{batchId}:{index}`: never changes for an item, however often it is tried."""
        ...
