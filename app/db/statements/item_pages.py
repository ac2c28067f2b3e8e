"""Reading the items of a batch, a page or one, as they are shown.

An item and the slice that holds it are read in one statement, so at one moment. There are few
such slices, and few items in them. The page is cut out first, by the order of the primary key.

The columns are declared with the view (app/batches/item_view.py) and passed in: SQL expressions by
name, in terms of `i`, the item; `h`, its row of `held_items`, if a slice holds it; and the
parameter :operation, the batch's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

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
_STATUS_FILTERS = {
    PENDING: f"i.status = '{PENDING}' AND {_NOT_HELD}",
    RUNNING: "i.index = ANY(ARRAY(SELECT held.index FROM held))",
}
# Whatever went wrong has a code, and an index of its own.
_WENT_WRONG = {FAILED, INVALID}
# As a range, so that only ix_items_failure has the order that is asked for: else a failure that is
# frequent elsewhere might be looked for item by item.
_HAS_FAILURE = "(i.failure, i.index) > (:failure, :after) AND i.failure <= :failure"
FILTERS = {
    "key": "i.key = :key",
    "code": "i.code = :code",
    "indexes": "i.index = ANY(:indexes)",
}
"""Filters, each with a parameter of its name; beside them there are `statuses` and `failure`."""


def is_searched(statuses: Collection[str], given: Collection[str]) -> bool:
    """Whether no index finds just these items: then a page looks at some, and ends behind them.

    Those that are RUNNING are few, as are those whose indexes are given.
    """
    if "indexes" in given:
        return False
    return bool({"key", "code"} & set(given)) or bool(set(statuses) - {RUNNING})


def select_item(columns: Mapping[str, str]) -> TextClause:
    """The item :index of the batch :batch_id. By the primary key."""
    return text(_items(columns, "i.index = :index", limit="1"))


def select_items(
    columns: Mapping[str, str],
    *,
    statuses: Collection[str] = (),
    given: Collection[str] = (),
    bounded: bool = False,
) -> TextClause:
    """At most :limit items of the batch :batch_id behind the index :after, in that order.

    `statuses`: only those that are shown with one of them, which :statuses holds too. `given`: the
    names of other filters. `bounded`: end with the item whose input and result bring the page to
    :most_bytes; the server adds them up, so that what does not fit is not sent.

    By the primary key; FAILED and INVALID by the index of what went wrong; RUNNING item by item; a
    failure by the index of those. Where it `is_searched`, of these :look are read at most, up to
    the index :until.
    """
    searched = is_searched(statuses, given)
    bounds, order = _bounds(statuses, given)
    filters = [FILTERS[name] for name in FILTERS if name in given]
    if statuses:
        filters.append(_shown_with(statuses))
    page = _items(
        columns,
        " AND ".join(bounds if searched else bounds + filters),
        limit=":limit",
        order=order,
        looked_through=" AND ".join(filters) if searched else None,
    )
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


def select_end_of_look(statuses: Collection[str], given: Collection[str]) -> TextClause:
    """The index of the :look th item that `select_items` reads, if there are more behind it.

    Asked first, so that whatever changes meanwhile, all up to there have been looked at.
    """
    bounds, order = _bounds(statuses, given)
    return text(
        f"""
        SELECT index FROM (
            SELECT i.index, lead(i.index) OVER (ORDER BY {order}) AS next FROM (
                SELECT i.failure, i.index FROM items i
                WHERE i.batch_id = :batch_id AND {" AND ".join(bounds)}
                ORDER BY {order} OFFSET :look - 1 LIMIT 2
            ) i
        ) i WHERE next IS NOT NULL
        """
    )


def _bounds(statuses: Collection[str], given: Collection[str]) -> tuple[list[str], str]:
    """The conditions by which an index finds what is read, and the order in which it does."""
    if "failure" in given:
        return [_HAS_FAILURE], "i.failure, i.index"
    bounds = ["i.index > :after"]
    if "code" in given or (statuses and set(statuses) <= _WENT_WRONG):
        bounds.append("i.code IS NOT NULL")
    return bounds, "i.index"


def _shown_with(statuses: Collection[str]) -> str:
    """The condition for the items that are shown with one of these."""
    derived = [_STATUS_FILTERS[status] for status in sorted(_STATUS_FILTERS) if status in statuses]
    stored = set(statuses) - _STATUS_FILTERS.keys()
    if stored:
        its = "i.status = ANY(:statuses)"
        # A batch's items are PENDING where they are not ended, also while they are RUNNING.
        its += f" AND i.status <> '{PENDING}'" if derived else ""
        derived.append(its)
    return f"({' OR '.join(f'({each})' for each in derived)})"


def _items(
    columns: Mapping[str, str],
    where: str,
    *,
    limit: str,
    order: str = "i.index",
    looked_through: str | None = None,
) -> str:
    """The statement that all these are made of. `looked_through`: what is asked of those read."""
    items = f"SELECT i.* FROM items i WHERE i.batch_id = :batch_id AND {where}"
    if looked_through is not None:
        items = f"""
            SELECT * FROM ({items} AND i.index <= :until ORDER BY {order} LIMIT :look) i
            WHERE {looked_through}
        """
    return f"""
        WITH held AS MATERIALIZED ({held_items(":batch_id")}),
        page AS MATERIALIZED ({items} ORDER BY {order} LIMIT {limit})
        SELECT {select_list(columns)}
        FROM page i LEFT JOIN held h ON h.index = i.index ORDER BY i.index
    """
