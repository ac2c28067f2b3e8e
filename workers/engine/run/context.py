"""What a handler is given beside its item: `handlers.Context` for real."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.db.records import RecordStore
from handlers import Item
from workers.engine.claim.claims import ClaimedSlice

NO_CONNECTION = "the operation is registered with in_database=False, so it has no connection"


class SliceContext:
    """The context of one slice. Without a `connection` the operation has no effects in it."""

    def __init__(self, claimed: ClaimedSlice, connection: Connection | None) -> None:
        self._claimed = claimed
        self._connection = connection

    @property
    def client_id(self) -> UUID:
        """Whose batch this is."""
        return self._claimed.client_id

    @property
    def batch_id(self) -> UUID:
        """The batch that the items belong to."""
        return self._claimed.batch_id

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The batch's metadata."""
        return self._claimed.metadata

    @property
    def connection(self) -> Connection:
        """The transaction that also writes the outcomes; only the engine ends it."""
        if self._connection is None:
            raise RuntimeError(NO_CONNECTION)
        return self._connection

    @property
    def records(self) -> RecordStore:
        """The client's records, in that transaction."""
        return RecordStore(self.connection, self._claimed.client_id)

    def idempotency_key(self, item: Item) -> str:
        """`{batchId}:{index}`."""
        return f"{self._claimed.batch_id}:{item.index}"
