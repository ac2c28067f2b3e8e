"""What waits for a breaker: items that may not begin, and the batches that have such.

An item that waits has a moment that never comes, `due_at` in the year 9000 and as many seconds on
as its breaker's number. So it is passed over by all that looks for what is due, of this release or
the one before, as an item is that is tried again later; it costs nothing while it waits; and those
of one breaker are found by ix_items_due (batch_id, due_at, index) without looking at others. Once
the breaker lets them they get a moment that has come, some at a time, as there is room for them.

A batch notes in `held` for which breakers it has items that wait. One of a single operation that
may not begin at all waits as a whole, and its items are not touched.
"""

from __future__ import annotations

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Integer

NEVER = "timestamptz '9000-01-01Z'"
"""The first of those moments, in SQL."""

_MOMENT = f"{NEVER} + make_interval(secs => {{}})"

# Items of a slice that may not begin: untried, no attempt lost. By the primary key, bounded by the
# slice's positions; HOLD_CLAIM has locked the slice.
HOLD_ITEMS = text(
    f"""
    UPDATE items SET due_at = {_MOMENT.format("u.breaker")}
    FROM unnest(:indexes, :breakers) AS u (index, breaker)
    WHERE items.batch_id = :batch_id AND items.index BETWEEN :first AND :last
      AND items.index = u.index AND items.status = 'PENDING'
    """
).bindparams(
    bindparam("indexes", type_=ARRAY(Integer)), bindparam("breakers", type_=ARRAY(BigInteger))
)

# Their batch, once that has committed: it joins the line, since others of its items may go on. By
# id.
NOTE_HELD_ITEMS = text(
    """
    UPDATE batches SET turn_at = coalesce(turn_at, clock_timestamp()),
        held = (SELECT array_agg(DISTINCT id ORDER BY id)
                FROM unnest(coalesce(held, '{}') || :breakers) AS all_of_them (id))
    WHERE id = :batch_id AND finished_at IS NULL
    """
).bindparams(bindparam("breakers", type_=ARRAY(BigInteger)))

# Some of those that wait for that breaker may begin. By ix_items_due; the batch is locked. What
# somebody is canceling just then is passed over.
RELEASE_HELD_ITEMS = text(
    f"""
    UPDATE items SET due_at = now() WHERE batch_id = :batch_id AND index IN (
        SELECT index FROM items
        WHERE batch_id = :batch_id AND due_at = {_MOMENT.format(":breaker")}
          AND status = 'PENDING'
        ORDER BY due_at, index LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED)
    """
)

# One of them, which tries the breaker: the next from a place by chance, since one that fails
# whatever becomes of the others must not be the one each time. By ix_items_due; the batch is
# locked.
RELEASE_ONE_ITEM = text(
    f"""
    UPDATE items SET due_at = now() WHERE batch_id = :batch_id AND status = 'PENDING' AND index IN (
        (SELECT index FROM items
         WHERE batch_id = :batch_id AND due_at = {_MOMENT.format(":breaker")} AND index >= :start
         ORDER BY due_at, index LIMIT 1)
        UNION ALL
        (SELECT index FROM items
         WHERE batch_id = :batch_id AND due_at = {_MOMENT.format(":breaker")} AND index < :start
         ORDER BY due_at, index LIMIT 1)
        LIMIT 1)
    """
)

# Which breaker the first of its items waits for that wait for any; null for none. By ix_items_due.
FIND_HELD_ITEM = text(
    f"""
    SELECT CAST(extract(epoch FROM min(due_at) - {NEVER}) AS bigint) FROM items
    WHERE batch_id = :batch_id AND due_at >= {NEVER} AND status = 'PENDING'
    """
)

# The batch waits as a whole, out of the line, until it is woken. By id, which the caller has
# locked.
HOLD_BATCH = text(
    f"""
    UPDATE batches SET held = :breakers, turn_at = NULL,
        due_at = {_MOMENT.format("CAST(:first AS bigint)")}
    WHERE id = :batch_id
    """
).bindparams(bindparam("breakers", type_=ARRAY(BigInteger)))

# For which breakers it waits from now on. By id, which the caller has locked.
SET_HELD_OF_BATCH = text("UPDATE batches SET held = :breakers WHERE id = :batch_id").bindparams(
    bindparam("breakers", type_=ARRAY(BigInteger))
)

_MAY_GO_ON = """b.held IS NOT NULL AND b.finished_at IS NULL AND b.turn_at IS NULL
    AND b.status = 'RUNNING' AND b.stopping IS NULL AND b.doing IS NULL"""

# Batches that wait for a breaker that lets items begin join the line: right after it was closed,
# and by each sweep. By ix_batches_held, which holds nothing else.
WAKE_HELD_BATCHES = text(
    f"""
    UPDATE batches SET turn_at = clock_timestamp() WHERE id IN (
        SELECT b.id FROM batches b
        WHERE {_MAY_GO_ON}
          AND EXISTS (SELECT FROM unnest(b.held) AS h (id)
                      WHERE NOT EXISTS (SELECT FROM breakers k
                                        WHERE k.id = h.id AND (k.status <> 'closed'
                                                         OR k.paced_until > clock_timestamp())))
        ORDER BY b.id LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id, queue
    """
)

# For each breaker that is due for a try one batch that waits for it joins the line: one of a client
# by chance, of those who have such, and of its batches one by chance. One of which nothing can be
# tried must not keep the others from it, nor a client with very many the other clients. By
# ix_batches_held.
WAKE_FOR_PROBES = text(
    f"""
    UPDATE batches SET turn_at = clock_timestamp() WHERE id IN (
        SELECT one.id FROM breakers k CROSS JOIN LATERAL (
            SELECT b.client_id FROM batches b WHERE {_MAY_GO_ON} AND k.id = ANY(b.held)
            GROUP BY b.client_id ORDER BY random() LIMIT 1
        ) chosen CROSS JOIN LATERAL (
            SELECT b.id FROM batches b
            WHERE {_MAY_GO_ON} AND k.id = ANY(b.held) AND b.client_id = chosen.client_id
            ORDER BY random() LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        ) one
        WHERE k.status = 'open' AND NOT k.by_hand AND k.probe_at <= clock_timestamp())
    RETURNING id, queue
    """
)
