"""The records that handlers store, by client, collection and key (`handlers.Records`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause

from app.core.jsontext import dumps, loads
from app.db.statements.records import (
    DELETE_RECORDS,
    FIND_RECORD,
    INSERT_RECORDS,
    LIST_RECORDS,
    LOCK_KEYS,
    LOCK_RECORDS,
    READ_ANCESTRY,
    READ_RECORDS,
    UPDATE_RECORDS,
    UPSERT_RECORDS,
)
from handlers.keys import quote_part


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as `GET /v1/records` shows it. `text`: its data as JSON, to be passed on."""

    collection: str
    key: str
    text: str
    version: int
    updated_at: datetime

    @property
    def data(self) -> Any:
        """What it holds, numbers exact; made each time, and many times as large as the text."""
        return loads(self.text)


class RecordStore:
    """One client's records, in the caller's transaction."""

    def __init__(self, connection: Connection, client_id: UUID) -> None:
        self._connection = connection
        self._client_id = client_id

    def upsert(self, collection: str, rows: Sequence[tuple[str, Any]]) -> list[bool]:
        """Write rows with distinct keys; True where the record was new."""
        known = self._write(UPSERT_RECORDS, collection, rows)
        return [key not in known for key, _ in rows]

    def get(self, collection: str, keys: Sequence[str], *, lock: bool = False) -> dict[str, Any]:
        """The data of those records that exist, by key; `lock` holds them until the commit."""
        found = self._connection.execute(
            LOCK_RECORDS if lock else READ_RECORDS, self._named(collection, keys=list(keys))
        )
        return {row.key: loads(row.data) for row in found}

    def insert(self, collection: str, rows: Sequence[tuple[str, Any]]) -> list[bool]:
        """Write rows with distinct keys where there is none yet; True where it was written."""
        written = self._write(INSERT_RECORDS, collection, rows)
        return [key in written for key, _ in rows]

    def update(self, collection: str, rows: Sequence[tuple[str, Any]]) -> list[bool]:
        """Write rows with distinct keys where there is one already; True where it was written."""
        # UPDATE locks in any order; taking the locks first, in key order, avoids deadlocks.
        self._lock(collection, [key for key, _ in rows])
        written = self._write(UPDATE_RECORDS, collection, rows)
        return [key in written for key, _ in rows]

    def delete(self, collection: str, keys: Sequence[str]) -> list[bool]:
        """Remove records with distinct keys; True where there was one."""
        self._lock(collection, keys)
        gone = self._connection.execute(DELETE_RECORDS, self._named(collection, keys=list(keys)))
        removed: set[str] = set(gone.scalars())
        return [key in removed for key in keys]

    def ancestry(
        self, collection: str, keys: Sequence[str], *, parent: str
    ) -> dict[str, str | None]:
        """Parent keys by key, for those of the records that exist and for all that stand above.

        For records that form a tree: see `handlers.contract.Records.ancestry`.
        """
        rows = self._connection.execute(
            READ_ANCESTRY, self._named(collection, keys=list(keys), parent=parent)
        )
        return {row.key: None if row.parent is None else quote_part(row.parent) for row in rows}

    def one(self, collection: str, key: str) -> StoredRecord | None:
        """The whole record, or None."""
        return next(self._read(FIND_RECORD, self._named(collection, key=key)), None)

    def page(
        self, collection: str, *, after: str = "", limit: int, most_bytes: int | None = None
    ) -> list[StoredRecord]:
        """At most `limit` records with keys behind `after`, in the order of their keys.

        `most_bytes`: end with the record whose text brings the page to so many.
        """
        asked = {"after": after, "limit": limit, "most_bytes": most_bytes}
        return list(self._read(LIST_RECORDS, self._named(collection, **asked)))

    def _lock(self, collection: str, keys: Sequence[str]) -> None:
        self._connection.execute(LOCK_KEYS, self._named(collection, keys=list(keys)))

    def _write(
        self, statement: TextClause, collection: str, rows: Sequence[tuple[str, Any]]
    ) -> set[str]:
        """The keys that the statement returns."""
        keys, datas = dumps([key for key, _ in rows]), dumps([data for _, data in rows])
        return set(
            self._connection.execute(
                statement, self._named(collection, keys=keys, datas=datas)
            ).scalars()
        )

    def _read(self, statement: TextClause, named: dict[str, Any]) -> Iterator[StoredRecord]:
        for row in self._connection.execute(statement, named):
            yield StoredRecord(row.collection, row.key, row.data, row.version, row.updated_at)

    def _named(self, collection: str, **values: Any) -> dict[str, Any]:
        return {"client": self._client_id, "collection": collection, **values}
