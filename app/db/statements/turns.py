"""Batches in line for their turn, and how much room there is for what they want to have done.

A batch is in line while `turn_at` is set. Its line is that of the workers it needs (`queue`:
"fast" or "slow"); in it each client has a place, and a client's batches stand one behind the other.
All by ix_batches_turn (queue, client_id, turn_at), which holds nothing but what is in line.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, text

from app.db.statements.batches import BatchRow
from app.db.statements.rows import columns

_HERE = "queue = :queue AND turn_at IS NOT NULL AND client_id <> ALL(:passed_over)"
_NEXT = (
    f"SELECT client_id FROM batches WHERE {_HERE} AND client_id > {{}} ORDER BY client_id LIMIT 1"
)
_FIRST = f"SELECT client_id FROM batches WHERE {_HERE} ORDER BY client_id LIMIT 1"

# Whose turn it is: of the clients behind `after` (then from the first again), at most `most`, the
# batch that has waited longest; several of each where there are fewer clients. Locked; those that
# another transaction has locked are passed over. Costs two entries of the index a client.
TAKE_TURNS = text(
    f"""
    WITH RECURSIVE line AS (
        SELECT found.client_id, found.client_id AS first, 1 AS place
        FROM (SELECT coalesce(({_NEXT.format(":after")}), ({_FIRST})) AS client_id) found
        WHERE found.client_id IS NOT NULL
        UNION ALL
        SELECT next.client_id, l.first, l.place + 1
        FROM line l CROSS JOIN LATERAL (
            SELECT coalesce(({_NEXT.format("l.client_id")}), ({_FIRST})) AS client_id
        ) next
        WHERE l.place < :most AND next.client_id <> l.first
    )
    SELECT {columns(BatchRow, "turn")} FROM line CROSS JOIN LATERAL (
        SELECT {columns(BatchRow)} FROM batches
        WHERE queue = :queue AND client_id = line.client_id AND turn_at IS NOT NULL
        ORDER BY turn_at LIMIT (SELECT greatest(1, :most / count(*)) FROM line)
        FOR NO KEY UPDATE SKIP LOCKED
    ) turn
    ORDER BY line.place
    """
).bindparams(bindparam("passed_over", type_=ARRAY(Uuid())))

# Whether anything else is in line there: what comes next is then decided by whose turn it is.
OTHERS_ARE_IN_LINE = text(
    """
    SELECT EXISTS (SELECT FROM batches
                   WHERE queue = :queue AND turn_at IS NOT NULL AND id <> :batch_id)
    """
)

# It is to be moved on, when its turn comes. By id, which the caller has locked.
JOIN_LINE = text(
    "UPDATE batches SET turn_at = coalesce(turn_at, clock_timestamp()) WHERE id = :batch_id"
)

# It could not be moved on: others of its client come first. By id.
WAIT_BEHIND = text("UPDATE batches SET turn_at = clock_timestamp() WHERE id = :batch_id")

# There is nothing to do for it. By id, which the caller has locked.
LEAVE_LINE = text("UPDATE batches SET turn_at = NULL WHERE id = :batch_id")

# It joins the line by a slice whose items are to be tried again: its batch may have others under
# way for long. By id; what is in line already is not touched.
JOIN_LINE_AFTER_SLICE = text(
    "UPDATE batches SET turn_at = clock_timestamp() WHERE id = :batch_id AND turn_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """Slices of a line's workers: waiting for one, claimed, and how many of both are a client's."""

    ready: int
    claimed: int
    of_client: int
    anybody_in_line: bool


_UNDER_WAY = """
    FROM slices s JOIN batches b ON b.id = s.batch_id LEFT JOIN workers w ON w.id = s.worker_id
    WHERE s.state IN ('READY', 'CLAIMED') AND (s.queue = 'slow') = (:queue = 'slow')
      AND (s.state = 'CLAIMED' AND w.heartbeat_at > now() - make_interval(secs => :stale)
           OR s.state = 'READY' AND b.status = 'RUNNING' AND b.stopping IS NULL
           AND s.parked_at IS NULL AND (s.not_before IS NULL OR s.not_before <= now()))
"""

# What is under way there: slices that a live worker has claimed, or that could be. Those that wait
# for a limit, or whose batch is paused, are not. By ix_slices_state: about twice the slots of them.
COUNT_UNDER_WAY = text(
    f"""
    SELECT count(*) FILTER (WHERE s.state = 'READY') AS ready,
           count(*) FILTER (WHERE s.state = 'CLAIMED') AS claimed,
           count(*) FILTER (WHERE b.client_id = CAST(:client_id AS uuid)) AS of_client,
           EXISTS (SELECT FROM batches WHERE queue = :queue AND turn_at IS NOT NULL)
               AS anybody_in_line
    {_UNDER_WAY}
    """
)

# Clients that have as many slices under way there as one may have. As above.
FIND_CLIENTS_WITH_MOST = text(
    f"SELECT b.client_id {_UNDER_WAY} GROUP BY b.client_id HAVING count(*) >= :most"
)

# Room is given out by one transaction at a time, until it ends: a lock a line.
LOCK_ROOM = text("SELECT pg_advisory_xact_lock(7203, hashtext(:queue))")


@dataclass(frozen=True, slots=True)
class WaitingBatch:
    """A batch in line."""

    id: UUID
    queue: str


# The sweep: some that have waited for a while; their messages may be lost. Of each line at most
# `most`.
FIND_WAITING_BATCHES = text(
    """
    SELECT waiting.id, waiting.queue FROM (VALUES ('fast'), ('slow')) AS line (queue)
    CROSS JOIN LATERAL (
        SELECT id, queue FROM batches
        WHERE queue = line.queue AND turn_at < now() - make_interval(secs => :seconds)
        LIMIT :most
    ) waiting
    """
)

# The sweep: due schedules begin, so many at once. By ix_batches_unfinished; one that somebody is
# changing just then is passed over until the next sweep.
START_SCHEDULED_BATCHES = text(
    """
    UPDATE batches SET status = 'PENDING', turn_at = clock_timestamp(), revision = revision + 1
    WHERE id IN (
        SELECT id FROM batches
        WHERE status = 'SCHEDULED' AND finished_at IS NULL AND scheduled_at <= now()
          AND doing IS NULL
        ORDER BY scheduled_at LIMIT :at_once FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id, queue
    """
)

# The sweep: batches that nothing is under way for, though something should be, and that are not in
# line: their message was lost, their callback never came, or their time has come. They join the
# line, and so are found once. What is done in steps is SEND_FOR_WORK's. One whose wave has
# unfinished slices is left until something of it is due; where it is being stopped, only claimed
# ones count. By ix_batches_unfinished, and the primary key of slices for each.
MARK_IDLE_BATCHES = text(
    """
    UPDATE batches SET turn_at = clock_timestamp() WHERE id IN (
        SELECT b.id FROM batches b
        WHERE b.finished_at IS NULL AND b.turn_at IS NULL AND b.doing IS NULL
          AND (b.status IN ('PENDING', 'RUNNING')
               OR (b.status = 'PAUSED' AND b.stopping IS NOT NULL))
          AND (b.due_at <= now() OR (
                (b.due_at IS NULL OR b.stopping IS NOT NULL) AND NOT EXISTS (
                    SELECT FROM slices s WHERE s.batch_id = b.id
                    AND (s.state = 'CLAIMED' OR (s.state = 'READY' AND b.stopping IS NULL)))))
          AND b.created_at < now() - interval '2 seconds'
        ORDER BY b.id LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id, queue
    """
)
