"""Reading batches and their items, for one client. Pages are by position, never by offset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from app.batches.batch_view import BATCHES, BatchView, batch_view
from app.core.errors import NotFound
from app.core.lifecycle import FAILED, INVALID, PENDING, RUNNING
from app.db.statements.held_items import held_items

_BATCH_FILTERS = {
    "status": "b.status = :status",
    "operation": "b.operation = :operation",
    "dialect": "b.dialect = :dialect",
    "reference": "b.reference = :reference",
    "created_after": "b.created_at > :created_after",
    "created_before": "b.created_at < :created_before",
    "before": "b.id < :before",
}

# An item and the slice that holds it are read in one statement, so at one moment. There are few
# such slices, and few items in them. The page is cut out first, by the order of the primary key.
_ITEMS = f"""
    WITH held AS MATERIALIZED ({held_items(":batch_id")}),
    page AS MATERIALIZED (
        SELECT i.* FROM items i WHERE i.batch_id = :batch_id{{conditions}}
        ORDER BY i.index LIMIT :limit
    )
    SELECT i.index, i.key, coalesce(i.operation, :operation) AS operation,
           CASE WHEN h.index IS NULL THEN i.status ELSE '{RUNNING}' END AS status,
           CASE WHEN h.index IS NULL THEN i.attempts ELSE i.attempts + 1 END AS attempts,
           i.code, i.message, i.result::text AS result, i.input::text AS input, i.created_at,
           coalesce(i.started_at, h.claimed_at) AS started_at, i.finished_at
    FROM page i LEFT JOIN held h ON h.index = i.index ORDER BY i.index
"""
_ITEM_FILTERS = {
    PENDING: f"i.status = '{PENDING}' AND i.index NOT IN (SELECT h.index FROM held h)",
    RUNNING: "i.index = ANY(ARRAY(SELECT h.index FROM held h))",
    # Whatever went wrong has a code, and an index of its own.
    FAILED: "i.status = :status AND i.code IS NOT NULL",
    INVALID: "i.status = :status AND i.code IS NOT NULL",
}
# The server adds up the sizes, so that what does not fit is not sent.
_ITEM_COLUMNS = """
    index, key, operation, status, attempts, code, message, result, input, created_at, started_at,
    finished_at
"""
_BOUNDED = f"""
    SELECT {_ITEM_COLUMNS} FROM (
        SELECT *, sum(size) OVER (ORDER BY index) - size AS before FROM (
            SELECT *, octet_length(input) + coalesce(octet_length(result), 0) AS size
            FROM ({{query}}) asked) sized) bounded
    WHERE before < :most_bytes ORDER BY index
"""


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Which batches. `created_after` and `created_before` are aware, and exclusive."""

    status: str | None = None
    operation: str | None = None
    dialect: str | None = None
    reference: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item as it is shown. `result` and `input` are JSON text; `result` None for none."""

    index: int
    key: str | None
    operation: str | None
    status: str
    attempts: int
    code: int | None
    message: str | None
    result: str | None
    input: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def find_batch(connection: Connection, client_id: UUID, batch_id: UUID) -> BatchView:
    """The client's batch. Raises NotFound where there is none, or it is another's."""
    row = connection.execute(
        text(f"{BATCHES} WHERE b.id = :batch_id AND b.client_id = :client_id"),
        {"batch_id": batch_id, "client_id": client_id},
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no batch {batch_id}.")
    return batch_view(row)


def find_batch_by_reference(
    connection: Connection, client_id: UUID, dialect: str, reference: str
) -> BatchView:
    """The client's batch to which a dialect gave this id. Raises NotFound."""
    row = connection.execute(
        text(
            f"""{BATCHES} WHERE b.client_id = :client_id AND b.dialect = :dialect
                AND b.reference = :reference"""
        ),
        {"client_id": client_id, "dialect": dialect, "reference": reference},
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no batch {reference}.")
    return batch_view(row)


def list_batches(
    connection: Connection,
    client_id: UUID,
    which: BatchFilter | None = None,
    *,
    before: UUID | None = None,
    limit: int,
) -> list[BatchView]:
    """At most `limit` of the client's batches, newest first, older than the batch `before`."""
    which = which or BatchFilter()
    given: dict[str, Any] = {name: getattr(which, name) for name in which.__dataclass_fields__}
    given["before"] = before
    given = {name: value for name, value in given.items() if value is not None}
    conditions = "".join(f" AND {_BATCH_FILTERS[name]}" for name in given)
    # The page first, the slices of just its batches then.
    page = f"""
        {BATCHES.replace("FROM batches b", "FROM page b")} ORDER BY b.id DESC
    """
    rows = connection.execute(
        text(
            f"""WITH page AS MATERIALIZED (
                    SELECT b.* FROM batches b WHERE b.client_id = :client_id{conditions}
                    ORDER BY b.id DESC LIMIT :limit)
                {page}"""
        ),
        {**given, "client_id": client_id, "limit": limit},
    )
    return [batch_view(row) for row in rows]


def list_items(
    connection: Connection,
    client_id: UUID,
    batch_id: UUID,
    *,
    status: str | None = None,
    key: str | None = None,
    after: int = -1,
    limit: int,
    most_bytes: int | None = None,
) -> list[ItemView]:
    """At most `limit` items of the client's batch behind index `after`, in the order of index.

    `status`: one that is shown, RUNNING included. `most_bytes`: end with the item whose input and
    result bring it to so many. Raises NotFound for the batch.
    """
    query = items_query(status=status, keyed=key is not None)
    if most_bytes is not None:
        query = _BOUNDED.format(query=query)
    rows = connection.execute(
        text(query),
        {
            "batch_id": batch_id,
            "operation": batch_operation(connection, client_id, batch_id),
            "after": after,
            "limit": limit,
            "status": status,
            "key": key,
            "most_bytes": most_bytes,
        },
    )
    return [_item_view(row) for row in rows]


def items_query(*, status: str | None, keyed: bool) -> str:
    """The SQL of a page of items; `keyed`: only those of one key."""
    conditions = " AND i.index > :after"
    if status is not None:
        conditions += f" AND {_ITEM_FILTERS.get(status, 'i.status = :status')}"
    if keyed:
        conditions += " AND i.key = :key"
    return _ITEMS.format(conditions=conditions)


def find_item(connection: Connection, client_id: UUID, batch_id: UUID, index: int) -> ItemView:
    """One item of the client's batch. Raises NotFound for the batch or the item."""
    row = connection.execute(
        text(_ITEMS.format(conditions=" AND i.index = :index")),
        {
            "batch_id": batch_id,
            "operation": batch_operation(connection, client_id, batch_id),
            "index": index,
            "limit": 1,
        },
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no item {index} in batch {batch_id}.")
    return _item_view(row)


def batch_operation(connection: Connection, client_id: UUID, batch_id: UUID) -> str | None:
    """The operation of the client's batch, None if its items name theirs. Raises NotFound."""
    row = connection.execute(
        text("SELECT operation FROM batches WHERE id = :batch_id AND client_id = :client_id"),
        {"batch_id": batch_id, "client_id": client_id},
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no batch {batch_id}.")
    operation: str | None = row.operation
    return operation


def names_its_operations(connection: Connection, batch_id: UUID) -> bool:
    """Whether an item of the batch was submitted with an operation of its own."""
    return bool(
        connection.execute(
            text("SELECT mixed FROM batches WHERE id = :batch_id"), {"batch_id": batch_id}
        ).scalar()
    )


def _item_view(row: Row[Any]) -> ItemView:
    return ItemView(*tuple(row))
