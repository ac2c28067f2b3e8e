"""The statements on `audit`, and the part of others by which they write its rows."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from sqlalchemy import TextClause, text

# Of the moment `m.moment`: 48 bits of milliseconds, the version, 7, with 12 bits that divide the
# millisecond, so that what follows within one keeps its order, and the rest of a random UUID.
_UUID_OF_MOMENT = """
    CAST(encode(overlay(
        uuid_send(gen_random_uuid())
        PLACING substring(int8send(CAST(floor(m.millis) AS bigint)) FROM 3)
                || int2send(CAST(28672 + floor((m.millis - floor(m.millis)) * 4096) AS smallint))
        FROM 1 FOR 8), 'hex') AS uuid)
"""


def insert_audit_row(action: str, *, client_id: str, batch_id: str) -> str:
    """The INSERT of a row, for a CTE of the statement that does what the row is about.

    All are SQL expressions. Its parameters: `app.audit.recording.audit_values`.
    """
    # OFFSET keeps the moment from being read twice, so that id and time agree.
    return f"""
        INSERT INTO audit (id, at, action, client_id, batch_id, key_id, key_name, address,
                           request_id, detail)
        SELECT {_UUID_OF_MOMENT}, m.moment, {action}, CAST({client_id} AS uuid),
               CAST({batch_id} AS uuid), CAST(:audit_key_id AS uuid),
               CAST(:audit_key_name AS text), CAST(:audit_address AS text),
               CAST(:audit_request_id AS text), CAST(:audit_detail AS jsonb)
        FROM (
            SELECT moment, extract(epoch FROM moment) * 1000 AS millis
            FROM (SELECT clock_timestamp() AS moment OFFSET 0) once OFFSET 0
        ) m
    """


# The row of any other action.
INSERT_AUDIT_ROW = text(insert_audit_row(":action", client_id=":client_id", batch_id=":batch_id"))

_BOUNDS = {
    "client_id": "a.client_id = :client_id",
    "batch_id": "a.batch_id = :batch_id",
    "below": "a.id < :below",
    "from_id": "a.id >= :from_id",
}
"""What is found by an index. `below` and `from_id` are ids, or their beginning: a time."""

AUDIT_FILTERS = {
    "owner": "a.client_id = :owner",
    "action": "a.action = :action",
    "key_id": "a.key_id = :key_id",
    "after": "a.at > :after",
    "before": "a.at < :before",
}
"""What is looked for among those."""


@cache
def select_audit_page(given: Collection[str]) -> TextClause:
    """The newest :limit of the newest :look rows that are meant, newest first.

    `given`: names of bounds and filters, each of which takes a parameter of its name. By
    ix_audit_client_id_id, ix_audit_batch_id_id or pk_audit, in their order; of rows that a filter
    passes over no more than :look are read.
    """
    return text(
        f"""
        SELECT id, at, action, client_id, key_id, key_name, address, request_id, batch_id,
               CAST(detail AS text) AS detail
        FROM (SELECT * FROM audit a {_where(_BOUNDS, given)} ORDER BY a.id DESC LIMIT :look) a
        {_where(AUDIT_FILTERS, given)}
        ORDER BY a.id DESC LIMIT :limit
        """
    )


@cache
def select_end_of_look(given: Collection[str]) -> TextClause:
    """The last of the rows that `select_audit_page` looks at, if there are :look of them."""
    return text(
        f"""
        SELECT a.id FROM audit a {_where(_BOUNDS, given)}
        ORDER BY a.id DESC OFFSET :look - 1 LIMIT 1
        """
    )


def _where(conditions: dict[str, str], given: Collection[str]) -> str:
    wanted = [condition for name, condition in conditions.items() if name in given]
    return f"WHERE {' AND '.join(wanted)}" if wanted else ""


# Retention, oldest first: by pk_audit, whose order is that of time.
DELETE_OLD_AUDIT = text(
    """
    DELETE FROM audit WHERE id IN (
        SELECT id FROM audit
        WHERE id < CAST(rpad(lpad(to_hex(CAST(floor(extract(
                epoch FROM now() - make_interval(days => :days)) * 1000) AS bigint)),
            12, '0'), 32, '0') AS uuid)
        ORDER BY id LIMIT :at_once FOR UPDATE SKIP LOCKED)
    """
)
