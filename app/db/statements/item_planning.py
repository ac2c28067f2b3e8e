"""Which items of a batch are due: for the planner, and for deferred ones that wait in vain.

What waits for a moment of its own is found by ix_items_due (batch_id, due_at, index), which holds
nothing else, whatever the size of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import TextClause, text

from app.db.statements.held_items import ROW, picked_items, within
from app.db.statements.rows import columns


# Not frozen: there may be 50,000 of a wave, and a frozen one takes three times as long to make.
@dataclass(slots=True)
class DueItem:
    """An item whose moment has come."""

    index: int
    lane: int | None
    operation: str | None
    crashes: int
    deferred: bool


# The lanes of what a batch's slices that are under way have picked, as a multirange. By the primary
# keys of slices and, for each, of items.
_LANES_PICKED = f"""
    (SELECT coalesce(range_agg(int4range(its.lane, its.lane, '[]')), '{{}}')
     FROM slices s CROSS JOIN LATERAL (
        SELECT x.lane FROM items x
        WHERE {within(ROW, picked=True, items="x")} AND x.lane IS NOT NULL OFFSET 0
     ) its WHERE s.batch_id = :batch_id AND s.state <> 'DONE' AND s.picks IS NOT NULL)
"""


@cache
def find_due_items(*, beside: bool = False, deferred: bool = False) -> TextClause:
    """Finds what is due and in no lane, what has waited longest first.

    `beside`: slices of the batch are under way; what those have picked is left out. `deferred`:
    what waits for other items, instead of what does not. By ix_items_due, in its order.
    """
    free = f"AND NOT i.index <@ {picked_items(':batch_id')}" if beside else ""
    return text(
        f"""
        SELECT {columns(DueItem, "i")} FROM items i
        WHERE i.batch_id = :batch_id AND i.due_at <= now() AND i.status = 'PENDING'
          AND i.lane IS NULL AND {"" if deferred else "NOT"} i.deferred {free}
        ORDER BY i.due_at, i.index LIMIT :limit
        """
    )


@cache
def find_due_items_of_lanes(*, beside: bool = False, ramped: bool = False) -> TextClause:
    """Finds what is due in lanes, in order within each, and not before what still has to wait.

    That is an earlier item whose time is to come, or one that waits for other items; `beside`
    slices that are under way also all of a lane of which they have picked items. Those are looked
    for once, not for each item: a lane may be as long as its batch. `ramped`: nothing from :end on,
    which is due, and not to run yet. By ix_items_due for what is later, and ix_items_lane in its
    order.
    """
    free = f"AND NOT i.lane <@ {_LANES_PICKED}" if beside else ""
    if ramped:
        free += " AND i.lane < :end AND i.index < :end"
    return text(
        f"""
        WITH later AS MATERIALIZED (
            SELECT lane, min(index) AS first FROM items
            WHERE batch_id = :batch_id AND due_at IS NOT NULL AND (due_at > now() OR deferred)
              AND status = 'PENDING' AND lane IS NOT NULL
            GROUP BY lane
        )
        SELECT {columns(DueItem, "i")}
        FROM items i LEFT JOIN later ON later.lane = i.lane
        WHERE i.batch_id = :batch_id AND i.due_at <= now() AND i.status = 'PENDING'
          AND i.lane IS NOT NULL AND (later.first IS NULL OR i.index < later.first) {free}
        ORDER BY i.lane, i.index LIMIT :limit
        """
    )


# Lanes whose first item waits for other items, what has waited longest first, so that they take
# turns; and what is due behind it. One look at all that is due in lanes, before :end, once nothing
# else is.
FIND_DEFERRED_ITEMS_OF_LANES = text(
    f"""
    WITH waiting AS MATERIALIZED (
        SELECT {columns(DueItem)}, due_at,
               first_value(deferred) OVER lanes
                   AND first_value(due_at) OVER lanes <= now() AS first,
               first_value(due_at) OVER lanes AS since,
               min(index) FILTER (WHERE due_at > now()) OVER (PARTITION BY lane) AS later
        FROM items
        WHERE batch_id = :batch_id AND due_at IS NOT NULL AND status = 'PENDING'
          AND lane IS NOT NULL AND index < :end
        WINDOW lanes AS (PARTITION BY lane ORDER BY index)
    )
    SELECT {columns(DueItem)} FROM waiting
    WHERE first AND due_at <= now() AND (later IS NULL OR index < later)
    ORDER BY since, lane, index LIMIT :limit
    """
)


# The first pass of a batch whose items name their operations, over as many as may fit into a wave.
# By the primary key, in its order.
FIND_OPERATIONS_OF_ITEMS = text(
    """
    SELECT index, operation FROM items
    WHERE batch_id = :batch_id AND index >= :first AND index <= :last
      AND status = 'PENDING' AND due_at IS NULL ORDER BY index
    """
)

# When the next item is due, in seconds from now. What is due by now and was not planned waits
# behind something whose time is still to come. By ix_items_due: its first entry.
GET_WAIT_FOR_NEXT_ITEM = text(
    """
    SELECT extract(epoch FROM min(due_at) - now()) FROM items
    WHERE batch_id = :batch_id AND due_at > now() AND status = 'PENDING'
    """
)

# Where the first pass has nothing left to take, so that a retry does not walk over all again. By
# the primary key, as far as the first that is left.
GET_FIRST_ITEM_LEFT = text(
    """
    SELECT min(index) FROM items
    WHERE batch_id = :batch_id AND status = 'PENDING' AND due_at IS NULL
    """
)

# Items that neither the first pass nor a moment of their own brings on. There should be none, so
# this runs only where a batch cannot end; then it is one pass over it by the primary key.
RESCUE_ITEMS = text(
    """
    UPDATE items SET due_at = now(), deferred = false
    WHERE batch_id = :batch_id AND status = 'PENDING' AND due_at IS NULL
    """
)


@dataclass(frozen=True, slots=True)
class WaitingItems:
    """Of the items that wait: how many are deferred, and what else could bring those on."""

    deferred: int
    something_due: bool
    something_later: datetime | None


# Whether deferred items still wait for something before :end. By ix_items_due; once a stalled batch
# has tried them all in vain.
LOOK_AT_WAITING_ITEMS = text(
    """
    WITH waiting AS MATERIALIZED (
        SELECT index, lane, deferred, due_at,
               min(index) FILTER (WHERE deferred) OVER (PARTITION BY lane) AS held_by
        FROM items WHERE batch_id = :batch_id AND due_at IS NOT NULL AND status = 'PENDING'
          AND index < :end
    ), judged AS (
        -- What stands behind a deferred item of its lane is not free to run.
        SELECT deferred, due_at,
               NOT deferred AND (lane IS NULL OR held_by IS NULL OR index < held_by) AS free
        FROM waiting
    )
    SELECT count(*) FILTER (WHERE deferred) AS deferred,
           coalesce(bool_or(free AND due_at <= now()), false) AS something_due,
           min(due_at) FILTER (WHERE free AND due_at > now()) AS something_later
    FROM judged
    """
)

# They wait until then, with what may bring them on. By ix_items_due; the caller locked the batch.
PUT_OFF_DEFERRED_ITEMS = text(
    """
    UPDATE items SET due_at = :until
    WHERE batch_id = :batch_id AND due_at IS NOT NULL AND status = 'PENDING' AND deferred
    """
)

# They waited for nothing. By ix_items_due; the caller has locked the batch.
FAIL_DEFERRED_ITEMS = text(
    """
    UPDATE items SET status = 'FAILED', finished_at = clock_timestamp(), due_at = NULL,
                     deferred = false, attempts = attempts + 1
    WHERE batch_id = :batch_id AND due_at IS NOT NULL AND status = 'PENDING' AND deferred
    """
)
