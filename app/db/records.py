"""The records that handlers store: by client, collection and key. `handlers.Records` for real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from app.core.jsontext import dumps, loads


def _statement(sql: str, *arrays: str) -> TextClause:
    return text(sql).bindparams(*(bindparam(name, type_=ARRAY(Text)) for name in arrays))


# Rows go in as two JSON arrays: as arrays of SQL a thousand of them would be two thousand literals,
# which cost client and server more than the writing does.
_ROWS = """
    ROWS FROM (json_array_elements_text(CAST(:keys AS json)),
               json_array_elements(CAST(:datas AS json))) AS u (key, data)
"""
# They are written in the order of their keys, so that two transactions that touch the same
# records wait for each other instead of deadlocking.
_INSERT = f"""
    INSERT INTO records (client_id, collection, key, data)
    SELECT :client, :collection, u.key, u.data FROM {_ROWS} ORDER BY u.key COLLATE "C"
"""
# Tells the keys that were there before: usually the fewer, and often none.
_UPSERT = text(
    f"""
    WITH written AS (
        {_INSERT}
        ON CONFLICT (client_id, collection, key) DO UPDATE
        SET data = excluded.data, version = records.version + 1, updated_at = now()
        RETURNING key, version
    )
    SELECT key FROM written WHERE version > 1"""
)
_INSERT_NEW = text(f"{_INSERT} ON CONFLICT DO NOTHING RETURNING key")
_LOCK = """
    SELECT key, data::text FROM records
    WHERE client_id = :client AND collection = :collection AND key = ANY(:keys)
    ORDER BY key COLLATE "C" {lock}
"""
_GET = _statement(_LOCK.format(lock=""), "keys")
_GET_LOCKED = _statement(_LOCK.format(lock="FOR UPDATE"), "keys")
_UPDATE = text(
    f"""UPDATE records SET data = u.data, version = version + 1, updated_at = now() FROM {_ROWS}
    WHERE client_id = :client AND collection = :collection AND records.key = u.key
    RETURNING records.key"""
)
_DELETE = _statement(
    """DELETE FROM records
    WHERE client_id = :client AND collection = :collection AND key = ANY(:keys)
    RETURNING key""",
    "keys",
)
_ONE = text(
    """SELECT collection, key, data::text, version, updated_at FROM records
    WHERE client_id = :client AND collection = :collection AND key = :key"""
)
_PAGE = text(
    """SELECT collection, key, data::text, version, updated_at FROM records
    WHERE client_id = :client AND collection = :collection AND key > :after
    ORDER BY key LIMIT :limit"""
)


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as `GET /v1/records` shows it. `data`: parsed JSON, numbers exact."""

    collection: str
    key: str
    data: Any
    version: int
    updated_at: datetime


class RecordStore:
    """One client's records, in a transaction that somebody else owns."""

    def __init__(self, connection: Connection, client_id: UUID) -> None:
        self._connection = connection
        self._client_id = client_id

    def upsert(self, collection: str, rows: Sequence[tuple[str, Any]]) -> list[bool]:
        """Write rows with distinct keys; True where the record was new."""
        known = {row.key for row in self._run(_UPSERT, collection, rows)}
        return [key not in known for key, _ in rows]

    def get(self, collection: str, keys: Sequence[str], *, lock: bool = False) -> dict[str, Any]:
        """The data of those records that exist, by key; `lock` holds them until the commit."""
        found = self._connection.execute(
            _GET_LOCKED if lock else _GET,
            {"client": self._client_id, "collection": collection, "keys": list(keys)},
        )
        return {row.key: loads(row.data) for row in found}

    def insert(self, collection: str, rows: Sequence[tuple[str, Any]]) -> list[bool]:
        """Write rows with distinct keys where there is none yet; True where it was written."""
        written = {row.key for row in self._run(_INSERT_NEW, collection, rows)}
        return [key in written for key, _ in rows]

    def update(self, collection: str, rows: Sequence[tuple[str, Any]]) -> list[bool]:
        """Write rows with distinct keys where there is one already; True where it was written."""
        # UPDATE locks in any order; taking the locks first, in key order, avoids deadlocks.
        self.get(collection, [key for key, _ in rows], lock=True)
        written = {row.key for row in self._run(_UPDATE, collection, rows)}
        return [key in written for key, _ in rows]

    def delete(self, collection: str, keys: Sequence[str]) -> list[bool]:
        """Remove records with distinct keys; True where there was one."""
        self.get(collection, keys, lock=True)
        gone = self._connection.execute(
            _DELETE, {"client": self._client_id, "collection": collection, "keys": list(keys)}
        )
        removed = {row.key for row in gone}
        return [key in removed for key in keys]

    def one(self, collection: str, key: str) -> StoredRecord | None:
        """The whole record, or None."""
        row = self._connection.execute(
            _ONE, {"client": self._client_id, "collection": collection, "key": key}
        ).one_or_none()
        return None if row is None else _stored(row)

    def page(self, collection: str, *, after: str = "", limit: int) -> list[StoredRecord]:
        """At most `limit` records with keys behind `after`, in the order of their keys."""
        rows = self._connection.execute(
            _PAGE,
            {
                "client": self._client_id,
                "collection": collection,
                "after": after,
                "limit": limit,
            },
        )
        return [_stored(row) for row in rows]

    def _run(
        self, statement: TextClause, collection: str, rows: Sequence[tuple[str, Any]]
    ) -> Sequence[Any]:
        return self._connection.execute(
            statement,
            {
                "client": self._client_id,
                "collection": collection,
                "keys": dumps([key for key, _ in rows]),
                "datas": dumps([data for _, data in rows]),
            },
        ).all()


def _stored(row: Any) -> StoredRecord:
    return StoredRecord(row.collection, row.key, loads(row.data), row.version, row.updated_at)
