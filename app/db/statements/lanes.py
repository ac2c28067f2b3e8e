"""Items of a batch whose keys are repeated, and the lanes they are put into.

A small batch does both in the transaction that begins it. A large one finds them part by part, by
a hash of their keys, and writes down in chunks what is found (`lane_chunks`); then it marks these,
one after the other. The order of index is kept, so that a lane's items are marked in theirs.
"""

from __future__ import annotations

from functools import cache

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer, Text

from app.db.statements.batches import BatchRow
from app.db.statements.rows import columns


def _repeated(*, mixed: bool, due: bool, part: bool) -> str:
    collections = (
        """
            LEFT JOIN unnest(:operations, :collections) AS c (name, collection)
                   ON c.name = coalesce(items.operation, :operation)
        """
        if mixed
        else ""
    )
    collection = "coalesce(c.collection, items.operation)," if mixed else ""
    waiting = " AND due_at IS NOT NULL" if due else ""
    of_part = " AND (hashtextextended(key, 0) & 2147483647) % :parts = :part" if part else ""
    return f"""
        SELECT index, head FROM (
            SELECT index, min(index) OVER same AS head, count(*) OVER same AS times
            FROM items {collections}
            WHERE batch_id = :batch_id AND key IS NOT NULL AND status = 'PENDING'{waiting}{of_part}
            WINDOW same AS (PARTITION BY {collection} key)
        ) counted WHERE times > 1
    """


def _with_collections(sql: str, *, mixed: bool) -> TextClause:
    if not mixed:
        return text(sql)
    return text(sql).bindparams(
        bindparam("operations", type_=ARRAY(Text)), bindparam("collections", type_=ARRAY(Text))
    )


@cache
def find_repeated_items(*, mixed: bool, due: bool = False) -> TextClause:
    """Finds the items whose key stands more than once, in order: index, and the first's (head).

    `mixed`: where items name their operations, keys are the same within a collection only;
    `:operations` and `:collections` say which have which. `due`: all that are PENDING have a moment
    of their own, so that they are found by ix_items_due; else it is one pass over the batch.
    """
    sql = _repeated(mixed=mixed, due=due, part=False) + " ORDER BY index"
    return _with_collections(sql, mixed=mixed)


@cache
def store_repeated_items(*, mixed: bool, due: bool) -> TextClause:
    """Finds those of a :part of :parts, by their keys' hash, and writes them down in chunks.

    As `find_repeated_items`. A chunk is what stands within :size positions of the batch. No lock is
    held on the batch: one that is PENDING takes no items. To do it again changes nothing.
    """
    sql = f"""
        INSERT INTO lane_chunks (batch_id, first_index, part, indexes, heads)
        SELECT :batch_id, min(index), :part, array_agg(index ORDER BY index),
               array_agg(head ORDER BY index)
        FROM ({_repeated(mixed=mixed, due=due, part=True)}) found
        GROUP BY index / CAST(:size AS integer)
        ON CONFLICT DO NOTHING
    """
    return _with_collections(sql, mixed=mixed)


# Finding the parts of a batch's keys is one worker's at a time: false where another is at it. Until
# the transaction ends.
TRY_KEYS_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:batch_id, 7204))")

# The batch as it is, not locked. By its id.
READ_BATCH = text(f"SELECT {columns(BatchRow)} FROM batches WHERE id = :batch_id")

# A part has been found, unless the batch is doing something else by now. By id; a moment's lock.
NOTE_PART_OF_BATCH = text(
    """
    UPDATE batches SET doing = :doing, doing_index = :index, doing_at = clock_timestamp(),
        doing_sends = 0, revision = revision + 1
    WHERE id = :batch_id AND doing = 'keys' AND doing_index = :part
    """
)

# How far lanes have been marked: the next chunk, if there is one. By the primary key.
GET_NEXT_LANE_CHUNK = text("SELECT min(first_index) FROM lane_chunks WHERE batch_id = :batch_id")

# What was found from there on, up to :end. By the primary key.
GET_LANE_CHUNKS = text(
    """
    SELECT indexes, heads FROM lane_chunks
    WHERE batch_id = :batch_id AND first_index >= :first AND first_index < :end
    """
)

# They are marked. By the primary key.
DROP_LANE_CHUNKS = text(
    """
    DELETE FROM lane_chunks
    WHERE batch_id = :batch_id AND first_index >= :first AND first_index < :end
    """
)

# Some thousand items at a time. Bounded by positions, with arrays whose length the planner sees, so
# that the plan is good before the table has statistics, too. The caller has locked the batch.
PUT_ITEMS_INTO_LANES = text(
    """
    UPDATE items SET lane = u.head, due_at = now()
    FROM unnest(:indexes, :heads) AS u (index, head)
    WHERE items.batch_id = :batch_id AND items.index BETWEEN :first AND :last
      AND items.index = u.index AND items.status = 'PENDING'
    """
).bindparams(bindparam("indexes", type_=ARRAY(Integer)), bindparam("heads", type_=ARRAY(Integer)))
