"""Items: taken in, loaded, counted, and canceled. What is done to many of them: long_work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sqlalchemy import TextClause, text

from app.db.statements.held_items import GIVEN, held, not_put_off, within

# Submission and appending: as a stream, by far the quickest way in.
COPY_ITEMS = "COPY items (batch_id, index, key, operation, input) FROM STDIN"


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


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """A batch's items by how they stand."""

    total: int
    pending: int
    completed: int
    failed: int
    invalid: int
    canceled: int


# A batch whose own counts do not add up to its items. One pass over it; the caller has locked it.
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
