"""Items: taken in, loaded, counted, canceled, and retried by their batch's caller."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sqlalchemy import TextClause, text

from app.db.statements.held_items import GIVEN, held, held_items, not_put_off, within

# Submission and appending: as a stream, by far the quickest way in.
COPY_ITEMS = "COPY items (batch_id, index, key, operation, input) FROM STDIN"

# reset. By the primary key's first column; the caller has locked the batch.
DELETE_ITEMS = text("DELETE FROM items WHERE batch_id = :batch_id")

# A caller's retry. They are due at once, each by itself, and not by the first pass: a few of many
# are then found without walking over all. Their lanes are found anew, since not all of one may run
# again. One pass over the batch by the primary key; the caller has locked the batch.
RETRY_ITEMS = text(
    """
    UPDATE items SET status = 'PENDING', attempts = 0, crashes = 0, deferred = false,
        code = NULL, message = NULL, result = NULL, lane = NULL, due_at = now(),
        started_at = NULL, finished_at = NULL
    WHERE batch_id = :batch_id AND status = ANY(:statuses)
    """
)


@cache
def load_items(*, picked: bool) -> TextClause:
    """Loads a claimed slice's items in order: index, operation, input, attempts, lane, put_off.

    `put_off`: a slice that is run a second time put it off in the first. A picked one is read all
    the same, for what stands behind it in its lane; a range passes over it. By the primary key,
    bounded by the slice's positions.
    """
    put_off = f"NOT {not_put_off(GIVEN, picked=True)}" if picked else "false"
    which = (within if picked else held)(GIVEN, picked=picked)
    return text(
        f"""
        SELECT index, operation, input::text, attempts, lane, {put_off} AS put_off
        FROM items WHERE {which} ORDER BY index
        """
    )


@cache
def find_held_indexes(*, picked: bool) -> TextClause:
    """Finds which items a slice still holds, in order. By the primary key, as `load_items`."""
    return text(f"SELECT index FROM items WHERE {held(GIVEN, picked=picked)} ORDER BY index")


# cancel: all but those that a worker holds, which are found first, slice by slice. As one
# multirange each item is looked up in them by bisection: the cost does not hang on what the planner
# believes their number to be, as it would for NOT IN or an anti join (hundreds of slots hold
# 100,000 and more). One pass over the batch; the caller has locked it and dropped what is READY.
CANCEL_ITEMS_NOT_HELD = text(
    f"""
    UPDATE items SET status = 'CANCELED', finished_at = clock_timestamp(), due_at = NULL,
                     deferred = false
    WHERE batch_id = :batch_id AND status = 'PENDING'
      AND NOT index <@ (
            SELECT coalesce(range_agg(int4range(held.index, held.index, '[]')), '{{}}')
            FROM ({held_items(":batch_id", validating=True)}) held)
    """
)

# What is left of a stopped batch once nothing of it is under way. One pass over the batch, locked.
CANCEL_ITEMS_LEFT = text(
    """
    UPDATE items SET status = 'CANCELED', finished_at = clock_timestamp(), due_at = NULL,
                     deferred = false
    WHERE batch_id = :batch_id AND status = 'PENDING'
    """
)


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """A batch's items by how they stand."""

    total: int
    pending: int
    completed: int
    failed: int
    invalid: int
    canceled: int


# The summary that a batch ends with. One pass over the batch; the caller has locked it.
COUNT_ITEMS = text(
    """
    SELECT count(*) AS total,
           count(*) FILTER (WHERE status = 'PENDING') AS pending,
           count(*) FILTER (WHERE status = 'SUCCESS') AS completed,
           count(*) FILTER (WHERE status = 'FAILED') AS failed,
           count(*) FILTER (WHERE status = 'INVALID') AS invalid,
           count(*) FILTER (WHERE status = 'CANCELED') AS canceled
    FROM items WHERE batch_id = :batch_id
    """
)
