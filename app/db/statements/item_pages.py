"""Reading the items of a batch, a page or one, as they are shown.

An item and the slice that holds it are read in one statement, so at one moment. There are few
such slices, and few items in them. The page is cut out first, by the order of the primary key.

The columns are declared with the view (app/batches/item_view.py) and passed in: SQL expressions by
name, in terms of `i`, the item; `h`, its row of `held_items`, if a slice holds it; and the
parameter :operation, the batch's.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import TextClause, text

from app.core.lifecycle import FAILED, INVALID, PENDING, RUNNING
from app.db.statements.held_items import held_items
from app.db.statements.select_list import select_list

# All that are held, as one multirange: each item is looked up in it by bisection. For NOT IN, or
# an anti join, the planner has to guess how many are held, and compares each with each if it
# guesses too few, or too many for its memory.
_NOT_HELD = """NOT i.index <@ (
    SELECT coalesce(range_agg(int4range(held.index, held.index, '[]')), '{}') FROM held
)"""
_ITS_STATUS = "i.status = :status"
# Whatever went wrong has a code, and an index of its own.
_WENT_WRONG = f"{_ITS_STATUS} AND i.code IS NOT NULL"
_STATUS_FILTERS = {
    PENDING: f"i.status = '{PENDING}' AND {_NOT_HELD}",
    RUNNING: "i.index = ANY(ARRAY(SELECT held.index FROM held))",
    FAILED: _WENT_WRONG,
    INVALID: _WENT_WRONG,
}


def select_item(columns: Mapping[str, str]) -> TextClause:
    """The item :index of the batch :batch_id. By the primary key."""
    return text(_items(columns, "i.index = :index", limit="1"))


def select_items(
    columns: Mapping[str, str],
    *,
    status: str | None = None,
    keyed: bool = False,
    bounded: bool = False,
) -> TextClause:
    """At most :limit items of the batch :batch_id behind the index :after, in that order.

    `status`: only those that are shown with it (:status). `keyed`: only those with the key :key.
    `bounded`: end with the item whose input and result bring the page to :most_bytes; the server
    adds them up, so that what does not fit is not sent.

    By the primary key; FAILED and INVALID by the index of what went wrong; RUNNING item by item.
    """
    conditions = ["i.index > :after"]
    if status is not None:
        conditions.append(_STATUS_FILTERS.get(status, _ITS_STATUS))
    if keyed:
        conditions.append("i.key = :key")
    page = _items(columns, " AND ".join(conditions), limit=":limit")
    if not bounded:
        return text(page)
    return text(
        f"""
        SELECT {", ".join(columns)} FROM (
            SELECT *, sum(size) OVER (ORDER BY index) - size AS before FROM (
                SELECT *, octet_length(input) + coalesce(octet_length(result), 0) AS size
                FROM ({page}) asked) sized) bounded
        WHERE before < :most_bytes ORDER BY index
        """
    )


def _items(columns: Mapping[str, str], where: str, *, limit: str) -> str:
    return f"""
        WITH held AS MATERIALIZED ({held_items(":batch_id")}),
        page AS MATERIALIZED (
            SELECT i.* FROM items i WHERE i.batch_id = :batch_id AND {where}
            ORDER BY i.index LIMIT {limit}
        )
        SELECT {select_list(columns)}
        FROM page i LEFT JOIN held h ON h.index = i.index ORDER BY i.index
    """
