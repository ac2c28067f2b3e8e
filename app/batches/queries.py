"""Reading batches and their items, for one client. Pages are by position, never by offset."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause

from app.batches.batch_view import BATCH_COLUMNS, BatchView, batch_view
from app.batches.item_view import ITEM_COLUMNS, ItemView, item_views, size_of
from app.core.errors import NotFound
from app.core.ids import earliest_id
from app.db.statements.batch_lists import (
    BatchChoice,
    BatchVersion,
    choice_of,
    select_batch_page,
    select_batch_versions,
    select_end_of_batches,
)
from app.db.statements.batch_views import (
    SELECT_OPERATION,
    SELECT_UNFINISHED,
    select_batch,
    select_batch_by_reference,
    select_followed_batches,
    select_plain_batch,
)
from app.db.statements.item_pages import (
    is_searched,
    select_end_of_look,
    select_item,
    select_items,
)
from app.db.statements.rows import rows_of

_PLAIN_BATCH = select_plain_batch(BATCH_COLUMNS)
_BATCH = select_batch(BATCH_COLUMNS)
_BATCH_BY_REFERENCE = select_batch_by_reference(BATCH_COLUMNS)
_BATCHES = select_followed_batches(BATCH_COLUMNS)
_PLAIN_BATCHES = select_followed_batches(BATCH_COLUMNS, plain=True)
_ITEM = select_item(ITEM_COLUMNS)

LOOK_AT_BATCHES = 10_000
LOOK_AT_ITEMS = 100_000
"""What a page reads at most to find what no index finds: then it ends early. Of items that is all
that a JSON body may bring, in 10 to 25 ms."""
_LAST_INDEX = 2**31 - 1
# A batch's id is made before its row, by another clock; while a large one is written hours pass.
_ID_LATER = 3600 * 1000
_ID_EARLIER = 24 * _ID_LATER


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Which batches. `created_after` and `created_before` are aware, and exclusive.

    `statuses`: any of these. `words`: text that stands in the name, the id, the reference or the
    metadata, in whatever case.
    """

    status: str | None = None
    operation: str | None = None
    dialect: str | None = None
    reference: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    statuses: list[str] | None = None
    words: str | None = None


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items of a batch: those for which all holds that is said.

    `statuses`: any of these, as they are shown, RUNNING included; none for all. `failure`: the id
    of one, or `other`. `indexes`: those of them that exist.
    """

    statuses: tuple[str, ...] = ()
    key: str | None = None
    failure: str | None = None
    code: int | None = None
    indexes: tuple[int, ...] | None = None

    def given(self) -> dict[str, Any]:
        """What is said, but for the statuses, by the names that statements have for it."""
        asked = {
            "key": self.key,
            "failure": self.failure,
            "code": self.code,
            "indexes": None if self.indexes is None else list(self.indexes),
        }
        return {name: value for name, value in asked.items() if value is not None}


ALL_ITEMS = ItemFilter()


def find_batch(connection: Connection, client_id: UUID, batch_id: UUID) -> BatchView:
    """The client's batch. Raises NotFound where there is none, or it is another's."""
    for statement in (_PLAIN_BATCH, _BATCH):
        found = connection.execute(statement, {"batch_id": batch_id, "client_id": client_id})
        row = found.mappings().one_or_none()
        if row is not None:
            return batch_view(row)
    raise NotFound(f"There is no batch {batch_id}.")


def find_batch_by_reference(
    connection: Connection, client_id: UUID, dialect: str, reference: str
) -> BatchView:
    """The client's batch to which a dialect gave this id. Raises NotFound."""
    found = connection.execute(
        _BATCH_BY_REFERENCE,
        {"client_id": client_id, "dialect": dialect, "reference": reference},
    )
    row = found.mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no batch {reference}.")
    return batch_view(row)


def find_batches(batch_ids: list[UUID], connection: Connection) -> dict[UUID, BatchView]:
    """Those of the batches that are there, whoever's they are."""
    return _find_batches(_BATCHES, batch_ids, connection)


def find_plain_batches(batch_ids: list[UUID], connection: Connection) -> dict[UUID, BatchView]:
    """Those of them that have ended or repeat no key, at half the price."""
    return _find_batches(_PLAIN_BATCHES, batch_ids, connection)


def _find_batches(
    statement: TextClause, batch_ids: list[UUID], connection: Connection
) -> dict[UUID, BatchView]:
    rows = connection.execute(statement, {"ids": batch_ids}).mappings()
    return {batch.id: batch for batch in map(batch_view, rows)}


def find_unfinished(batch_ids: list[UUID], connection: Connection) -> set[UUID]:
    """Those of the batches that are there and have not ended, whoever's they are."""
    return set(connection.execute(SELECT_UNFINISHED, {"ids": batch_ids}).scalars())


def list_batches(
    connection: Connection,
    client_id: UUID | None,
    which: BatchFilter | None = None,
    *,
    before: UUID | None = None,
    limit: int,
) -> tuple[list[BatchView], UUID | None]:
    """At most `limit` of the client's batches older than `before`, newest first; where to go on.

    That is the id before which the next page begins, where this one ends early: it reads
    LOOK_AT_BATCHES at most. None where it is full, or there are no more. `client_id`: None for
    every client's, which is for admins.
    """
    choice, values, end = _choose(connection, client_id, which or BatchFilter(), before)
    statement = select_batch_page(BATCH_COLUMNS, choice)
    rows = connection.execute(statement, {**values, "limit": limit}).mappings()
    found = [batch_view(row) for row in rows]
    return found, end if len(found) < limit else None


def list_batch_versions(
    connection: Connection,
    client_id: UUID | None,
    which: BatchFilter,
    *,
    before: UUID | None = None,
    limit: int,
) -> tuple[list[BatchVersion], UUID | None]:
    """Of which versions the batches are that `list_batches` finds; where to go on."""
    choice, values, end = _choose(connection, client_id, which, before)
    found = rows_of(
        BatchVersion,
        connection.execute(select_batch_versions(choice), {**values, "limit": limit}),
    )
    return found, end if len(found) < limit else None


def _choose(
    connection: Connection, client_id: UUID | None, which: BatchFilter, before: UUID | None
) -> tuple[BatchChoice, dict[str, object], UUID | None]:
    """How they are looked for, with what, and where that ends; None: nowhere."""
    asked: dict[str, object] = {
        "client_id": client_id,
        **asdict(which),
        "before": before,
        "from_id": which.created_after and earliest_id(which.created_after, -_ID_EARLIER),
        "below": which.created_before and earliest_id(which.created_before, _ID_LATER),
    }
    given = {name: value for name, value in asked.items() if value is not None}
    end, choice = None, choice_of(given)
    values = {**given, "look": LOOK_AT_BATCHES}
    if choice.looked_for:
        end = connection.execute(select_end_of_batches(choice), values).scalar()
        if end is not None:
            values["until"] = end
            choice = choice_of({**given, "until": end})
    return choice, values, end


def list_items(
    connection: Connection,
    client_id: UUID,
    batch_id: UUID,
    *,
    which: ItemFilter = ALL_ITEMS,
    after: int = -1,
    limit: int,
    most_bytes: int | None = None,
) -> tuple[list[ItemView], int | None]:
    """At most `limit` items of the client's batch behind `after`, by their index; where to go on.

    That is the index behind which the next page begins, where this one ends early: it reads
    LOOK_AT_ITEMS at most. None where it is full, or there are no more. `most_bytes`: end with the
    item whose input and result bring it to so many. Raises NotFound for the batch.
    """
    given = which.given()
    statuses, names = frozenset(which.statuses), frozenset(given)
    values = {
        "batch_id": batch_id,
        "operation": batch_operation(connection, client_id, batch_id),
        "after": after,
        "limit": limit,
        "statuses": list(which.statuses),
        "most_bytes": most_bytes,
        "look": LOOK_AT_ITEMS,
        "until": _LAST_INDEX,
        **given,
    }
    end = None
    if is_searched(statuses, names):
        end = connection.execute(select_end_of_look(statuses, names), values).scalar()
        values["until"] = _LAST_INDEX if end is None else end
    bounded = most_bytes is not None
    statement = select_items(ITEM_COLUMNS, statuses=statuses, given=names, bounded=bounded)
    found = item_views(connection.execute(statement, values))
    full = len(found) >= limit or (most_bytes is not None and size_of(found) >= most_bytes)
    return found, None if full else end


def find_item(connection: Connection, client_id: UUID, batch_id: UUID, index: int) -> ItemView:
    """One item of the client's batch. Raises NotFound for the batch or the item."""
    found = item_views(
        connection.execute(
            _ITEM,
            {
                "batch_id": batch_id,
                "operation": batch_operation(connection, client_id, batch_id),
                "index": index,
            },
        )
    )
    if not found:
        raise NotFound(f"There is no item {index} in batch {batch_id}.")
    return found[0]


def batch_operation(connection: Connection, client_id: UUID, batch_id: UUID) -> str | None:
    """The operation of the client's batch, None if its items name theirs. Raises NotFound."""
    row = connection.execute(
        SELECT_OPERATION,
        {"batch_id": batch_id, "client_id": client_id},
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no batch {batch_id}.")
    operation: str | None = row.operation
    return operation
