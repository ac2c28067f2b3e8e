"""Long work of a batch, a step at a time: where it stands, and what a step does to the items.

A step looks at a bounded number of items, downwards from the end of the batch: those that nobody
has begun, which `cancel` is about, stand there. It is bounded by positions, so that it goes by the
primary key and costs the same in a batch of any size. Whoever makes one has locked the batch's row,
for that step alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from app.db.statements.held_items import held_items
from app.db.statements.item_tries import keep_outcomes

_HELD = held_items(":batch_id", validating=True, given_back=True, between=(":first", ":end"))

# The work goes on, or has just begun. Meanwhile there is nothing to stand in line for, unless the
# batch runs beside it, as it does while lanes are marked. By id, which the caller has locked.
NOTE_WORK_OF_BATCH = text(
    """
    UPDATE batches SET doing = :doing, doing_index = :index, doing_done = :done,
        doing_total = :total, doing_statuses = CAST(:statuses AS text[]),
        doing_where = CAST(:where AS jsonb),
        doing_at = clock_timestamp(), doing_sends = 0, revision = revision + 1,
        turn_at = CASE WHEN :doing = 'lanes' THEN turn_at END
    WHERE id = :batch_id
    """
)

# It is done, or was overtaken by something else. By id, which the caller has locked.
END_WORK_OF_BATCH = text(
    """
    UPDATE batches SET doing = NULL, doing_index = NULL, doing_done = NULL, doing_total = NULL,
        doing_statuses = NULL, doing_where = NULL, doing_at = NULL, doing_sends = NULL,
        revision = revision + 1
    WHERE id = :batch_id
    """
)

# The sweep: work that nobody has gone on with for a while, which doubles each time that it is sent
# for. That of a paused batch waits with it, unless it, or some of it, is being canceled. By
# ix_batches_doing_at; rows that are locked are being worked on.
SEND_FOR_WORK = text(
    """
    WITH left_lying AS (
        SELECT id FROM batches
        WHERE doing IS NOT NULL AND doing_at < now() - interval '3 seconds'
          AND doing_at < now() - interval '3 seconds' * 2 ^ least(doing_sends, 6)
          AND (status <> 'PAUSED' OR doing IN ('cancel', 'cancel_items'))
        ORDER BY doing_at LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE batches b SET doing_at = now(), doing_sends = least(doing_sends + 1, 1000)
    FROM left_lying l WHERE b.id = l.id
    RETURNING b.id
    """
)

# A step of cancel: the PENDING items from :first up to :end, but for those of slices that are not
# over. Those are found first, slice by slice. As one multirange each item is looked up in them by
# bisection: the cost does not hang on what the planner believes their number to be, as it would for
# NOT IN or an anti join (hundreds of slots hold 100,000 and more). A slice that was given back
# after what was READY had been dropped may be claimed once more, by a worker that does not see yet
# that the batch is being stopped: so READY ones count.
CANCEL_ITEMS_NOT_HELD = text(
    f"""
    UPDATE items SET status = 'CANCELED', finished_at = clock_timestamp(), due_at = NULL,
                     deferred = false
    WHERE batch_id = :batch_id AND index >= :first AND index < :end AND status = 'PENDING'
      AND NOT index <@ (
            SELECT coalesce(range_agg(int4range(held.index, held.index, '[]')), '{{}}')
            FROM ({_HELD}) held)
    """
)

# What they add to the batch's counts. By id; the caller has locked it.
ADD_CANCELED_TO_BATCH = text(
    "UPDATE batches SET canceled = canceled + :canceled WHERE id = :batch_id"
)


@dataclass(frozen=True, slots=True)
class UnfinishedSlices:
    """How many slices of a batch are not over, of which how many nobody has claimed."""

    unfinished: int
    ready: int


# Whether anything of a stopped batch is under way. Both in one look: a slice may be given back, or
# taken once more, between two. By the primary key, under the batch's lock.
LOOK_AT_SLICES = text(
    """
    SELECT count(*) FILTER (WHERE state <> 'DONE') AS unfinished,
           count(*) FILTER (WHERE state = 'READY') AS ready
    FROM slices WHERE batch_id = :batch_id
    """
)

_RETRIED = """
    batch_id = :batch_id AND index >= :first AND index < :end AND status = ANY(:statuses)
"""
_LOOKED = """
    batch_id = :batch_id
    AND index = ANY(ARRAY(SELECT index FROM looked WHERE status = ANY(:statuses)))
"""
AS_NEVER_TRIED = """
    status = 'PENDING', tried_before = nullif(coalesce(tried_before, 0) + attempts, 0),
    attempts = 0, kept_at = NULL, crashes = 0, deferred = false, code = NULL, message = NULL,
    failure = NULL, result = NULL, lane = NULL, due_at = now(), started_at = NULL,
    finished_at = NULL
"""

# A step of retry: those from :first up to :end that ended so. They are due at once, each by itself,
# and not by the first pass: a few of many are then found without walking over all. Their lanes are
# found anew, since not all of one may run again. By the primary key; the caller has locked the
# batch.
RETRY_ITEMS = text(
    f"""
    WITH kept AS ({keep_outcomes(_RETRIED)})
    UPDATE items SET {AS_NEVER_TRIED} WHERE {_RETRIED}
    """
)


@dataclass(frozen=True, slots=True)
class RetriedItems:
    """How many items were looked at, the first of them, and how many will run again."""

    looked: int
    first: int | None
    retried: int


# The same where all that is to be retried has a code: only such items are looked at, at most :most
# of those before :end, so that the cost is theirs and not the batch's. By ix_items_problem, then
# one by one by the primary key.
RETRY_ITEMS_WITH_CODE = text(
    f"""
    WITH looked AS MATERIALIZED (
        SELECT index, status FROM items
        WHERE batch_id = :batch_id AND index < :end AND code IS NOT NULL
        ORDER BY index DESC LIMIT :most
    ), kept AS ({keep_outcomes(_LOOKED)}), retried AS (
        UPDATE items SET {AS_NEVER_TRIED} WHERE {_LOOKED}
        RETURNING index
    )
    SELECT (SELECT count(*) FROM looked) AS looked, (SELECT min(index) FROM looked) AS first,
           (SELECT count(*) FROM retried) AS retried
    """
)

# A step of reset and delete: items go with their tries. By the primary keys; the caller has locked
# the batch.
DELETE_ITEMS = text(
    """
    WITH forgotten AS (
        DELETE FROM item_tries
        WHERE batch_id = :batch_id AND index >= :first AND index < :end
    )
    DELETE FROM items WHERE batch_id = :batch_id AND index >= :first AND index < :end
    """
)

# An ended batch has no slices. Should one have been left all the same, it goes before the batch
# begins again, which would wait for it. By the primary key, under the batch's lock.
DROP_SLICES = text("DELETE FROM slices WHERE batch_id = :batch_id")
