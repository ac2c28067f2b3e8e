"""The statements on `records`. All of them are for one client and one collection, by pk_records."""

from __future__ import annotations

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text


def _of_keys(sql: str) -> TextClause:
    """`sql`, whose parameter `keys` is an array."""
    return text(sql).bindparams(bindparam("keys", type_=ARRAY(Text)))


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


def _select(lock: str = "", *, shown: str = "key, data::text") -> TextClause:
    return _of_keys(
        f"""
        SELECT {shown} FROM records
        WHERE client_id = :client AND collection = :collection AND key = ANY(:keys)
        ORDER BY key COLLATE "C" {lock}
        """
    )


# Writes records, new or not. Tells the keys that were there before: usually the fewer, often none.
UPSERT_RECORDS = text(
    f"""
    WITH written AS (
        {_INSERT}
        ON CONFLICT (client_id, collection, key) DO UPDATE
        SET data = excluded.data, version = records.version + 1, updated_at = now()
        RETURNING key, version
    )
    SELECT key FROM written WHERE version > 1
    """
)

# Writes those records that are not there yet, and tells their keys.
INSERT_RECORDS = text(f"{_INSERT} ON CONFLICT DO NOTHING RETURNING key")

# The records of some keys, as they stand.
READ_RECORDS = _select()

# The same, held until the commit; always in the order of the keys.
LOCK_RECORDS = _select("FOR UPDATE")

# The same of those that are to be written: what they hold, which may be much, is not asked for.
LOCK_KEYS = _select("FOR UPDATE", shown="key")

# Replaces those records that are there, and tells their keys. UPDATE locks in any order, so take
# LOCK_KEYS first.
UPDATE_RECORDS = text(
    f"""
    UPDATE records SET data = u.data, version = version + 1, updated_at = now() FROM {_ROWS}
    WHERE client_id = :client AND collection = :collection AND records.key = u.key
    RETURNING records.key
    """
)

# Removes records, and tells the keys of those that were there. LOCK_KEYS first, here too.
DELETE_RECORDS = _of_keys(
    """
    DELETE FROM records
    WHERE client_id = :client AND collection = :collection AND key = ANY(:keys)
    RETURNING key
    """
)

# Some records and all that stand above them, where the field `parent` names the one above: one
# look-up by key for each. A parent's key is its quoted name (handlers/keys.py).
READ_ANCESTRY = _of_keys(
    """
    WITH RECURSIVE above (key, parent) AS (
        SELECT key, data->>:parent FROM records
        WHERE client_id = :client AND collection = :collection AND key = ANY(:keys)
        UNION
        SELECT r.key, r.data->>:parent
        FROM above JOIN records r ON r.client_id = :client AND r.collection = :collection
            AND r.key = replace(replace(replace(above.parent, '%', '%25'), ':', '%3A'), '/', '%2F')
    )
    SELECT key, parent FROM above
    """
)

_SHOWN = "SELECT collection, key, data::text, version, updated_at FROM records"

# One whole record, as `GET /v1/records/{collection}/{key}` shows it.
FIND_RECORD = text(
    f"{_SHOWN} WHERE client_id = :client AND collection = :collection AND key = :key"
)

# A page of whole records, behind a key: read off the index in its order. Ends with the record that
# brings it to `most_bytes`, where that is not null: what does not fit is not sent.
LIST_RECORDS = text(
    f"""
    SELECT collection, key, data, version, updated_at FROM (
        SELECT *, sum(octet_length(data)) OVER (ORDER BY key) - octet_length(data) AS before
        FROM (
            {_SHOWN} WHERE client_id = :client AND collection = :collection AND key > :after
            ORDER BY key LIMIT :limit
        ) asked
    ) sized WHERE before < coalesce(CAST(:most_bytes AS bigint), before + 1) ORDER BY key
    """
)
