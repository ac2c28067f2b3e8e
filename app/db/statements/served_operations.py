"""Which operations there are, and which live worker has them.

`operations` has a row for each that was ever registered, and `workers` what each process has: some
dozens and a few hundred rows, read as a whole. A worker that has been silent for `stale` seconds is
none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import Float, Integer, Text

from app.db.statements.held_items import GIVEN, held
from app.db.statements.rows import columns
from app.db.statements.slices import SentSlice

_LIVE = "heartbeat_at > now() - make_interval(secs => :stale)"

# A process that starts tells what it has registered. Nothing is written, or locked, for what stands
# there already; in order of name, so that two that start at once do not wait crosswise.
PUBLISH_OPERATIONS = text(
    """
    INSERT INTO operations (name, description)
    SELECT new.key, new.value FROM jsonb_each(:descriptions) new
    WHERE NOT EXISTS (SELECT FROM operations o
                      WHERE o.name = new.key AND o.description = new.value)
    ORDER BY new.key
    ON CONFLICT (name) DO UPDATE SET description = excluded.description
    """
).bindparams(bindparam("descriptions", type_=JSONB))


@dataclass(frozen=True, slots=True)
class KnownOperation:
    """What is known of an operation. `served`: a live worker has it.

    `taken`: one that has it also takes from its queue. `perhaps`: there is a live worker of a
    release that does not tell what it has. `seconds_without`: since when none has it; 0 where one
    does, None where none ever had.
    """

    name: str
    description: dict[str, Any] | None
    served: bool
    taken: bool
    perhaps: bool
    seconds_without: float | None


# All that are known. `operations` and `workers` as a whole; no lock. Of descriptions, which are
# long, the queue is read once each.
LIST_OPERATIONS = text(
    f"""
    WITH queued AS MATERIALIZED (
        SELECT name, coalesce(description->>'queue', 'fast') AS queue FROM operations
    ), had AS (
        SELECT u.name, max(w.heartbeat_at) AS at, bool_or({_LIVE}) AS served,
               bool_or({_LIVE} AND q.queue = ANY(coalesce(w.queues, ARRAY[w.queue]))) AS taken
        FROM workers w CROSS JOIN unnest(w.operations) AS u (name) LEFT JOIN queued q USING (name)
        GROUP BY 1
    )
    SELECT name, o.description, coalesce(h.served, false) AS served,
           coalesce(h.taken, false) AS taken,
           EXISTS (SELECT FROM workers WHERE operations IS NULL AND {_LIVE}) AS perhaps,
           CASE WHEN h.served THEN 0.0 ELSE
               CAST(extract(epoch FROM now() - greatest(h.at, o.last_served_at)) AS float)
           END AS seconds_without
    FROM operations o FULL JOIN had h USING (name) ORDER BY name
    """
)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Who has an operation that this process lacks.

    `registered`: some process ever had it. `served`: a live worker has it. `perhaps`: there is a
    live worker of a release that does not tell what it has.
    """

    registered: bool
    served: bool
    perhaps: bool


# For a worker that lacks the operation. By the primary key, and over the live workers; no lock.
FIND_OPERATION = text(
    f"""
    SELECT EXISTS (SELECT FROM operations WHERE name = :name) AS registered,
           coalesce(bool_or(:name = ANY(operations)), false) AS served,
           coalesce(bool_or(operations IS NULL), false) AS perhaps
    FROM workers WHERE {_LIVE}
    """
)

# There is work for it, and no worker that has it: for how many seconds that has been so. A break of
# a minute in which nobody looked (all was down, or there was nothing to do) begins it anew. By the
# primary key.
NOTE_MISSING_OPERATION = text(
    """
    WITH had AS (SELECT max(heartbeat_at) AS at FROM workers WHERE :name = ANY(operations))
    UPDATE operations o SET missing_seen_at = clock_timestamp(), missing_since =
        CASE WHEN o.missing_since IS NULL OR o.missing_seen_at < now() - interval '1 minute'
             THEN clock_timestamp()
             ELSE greatest(o.missing_since, o.last_served_at, had.at) END
    FROM had WHERE o.name = :name
    RETURNING CAST(extract(epoch FROM clock_timestamp() - missing_since) AS float)
    """
)

# What workers that are about to be removed had was served until their last heartbeat. In the
# statement that removes them; rows that another is just writing are left to that one.
NOTE_LAST_SERVED = """
    had AS (SELECT unnest(operations) AS name, max(heartbeat_at) AS at FROM gone GROUP BY 1),
    free AS (
        SELECT o.name, had.at FROM operations o JOIN had USING (name)
        WHERE o.last_served_at IS NULL OR o.last_served_at < had.at
        FOR NO KEY UPDATE OF o SKIP LOCKED
    ),
    noted AS (
        UPDATE operations o SET last_served_at = free.at FROM free WHERE o.name = free.name
    )
"""

# A worker that has just claimed the slice lacks its operation: as before the claim, to be sent
# again after a pause. By the token.
PASS_ON_SLICE = text(
    f"""
    UPDATE slices SET state = 'READY', claim = NULL, worker_id = NULL,
        passes = least(passes + 1, 1000),
        not_before = clock_timestamp() + make_interval(secs => :pause),
        sent_at = clock_timestamp() + make_interval(secs => :pause)
    WHERE claim = :claim AND state = 'CLAIMED'
    RETURNING {columns(SentSlice)}, CAST(NULL AS float) AS early
    """
)


@cache
def tell_waiting_items(*, picked: bool) -> TextClause:
    """Tells what the items of a slice wait for, those that do not say so yet."""
    return text(
        f"""
        UPDATE items SET code = :code, message = :message
        WHERE {held(GIVEN, picked=picked)} AND message IS DISTINCT FROM :message
        """
    )


# Items of a slice that wait for a worker that has their operation: due again `waits` seconds from
# now. They are not deferred: they wait for no other item. By the primary key, bounded by the
# slice's positions; HOLD_CLAIM has locked the slice.
PUT_OFF_ITEMS = text(
    """
    UPDATE items SET due_at = clock_timestamp() + make_interval(secs => u.wait),
        code = :code, message = u.message, deferred = false
    FROM unnest(:indexes, :waits, :messages) AS u (index, wait, message), slices s
    WHERE s.claim = :claim AND s.batch_id = :batch_id
      AND items.batch_id = :batch_id AND items.index BETWEEN :first AND :last
      AND items.index = u.index AND items.status = 'PENDING'
    """
).bindparams(
    bindparam("indexes", type_=ARRAY(Integer)),
    bindparam("waits", type_=ARRAY(Float)),
    bindparam("messages", type_=ARRAY(Text)),
)
