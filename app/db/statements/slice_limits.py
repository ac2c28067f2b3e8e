"""Slices under a limit of their operation: which run, which wait, and which are next.

Those in a state are found by ix_slices_state; of those, the few with a limit are looked through.
The caller has locked the operation's gate before (`operations.LOCK_GATE`), so that what is counted
cannot change until it is acted upon.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from app.db.statements.rows import columns
from app.db.statements.slices import SentSlice

_THIS = "batch_id = :batch_id AND wave = :wave AND number = :number"

# Which operations' gates have to be locked before the slice. By its primary key; no lock.
FIND_LIMITS_OF_SLICE = text(
    """
    SELECT s.limited FROM slices s JOIN batches b ON b.id = s.batch_id
    WHERE s.batch_id = :batch_id AND s.wave = :wave AND s.number = :number AND s.state = 'READY'
      AND s.limited IS NOT NULL AND b.status = 'RUNNING' AND b.stopping IS NULL
    """
)


@dataclass(frozen=True, slots=True)
class ReadySlice(SentSlice):
    """A slice that may be claimed. `early`: seconds until its time, if it has one."""

    early: float | None


# By its primary key; locked until the claim, or until it is put off.
LOCK_READY_SLICE = text(
    f"""
    SELECT {columns(SentSlice)},
           CAST(extract(epoch FROM not_before - clock_timestamp()) AS float) AS early
    FROM slices WHERE {_THIS} AND state = 'READY' FOR UPDATE
    """
)

# Against the limit of how many at once. A claim that a dead worker still holds counts until it is
# taken over; that only runs too few.
COUNT_RUNNING_SLICES = text(
    "SELECT count(*) FROM slices WHERE state = 'CLAIMED' AND limited @> ARRAY[:operation]"
)

# Slices whose turn, by the rate, comes before.
COUNT_ITEMS_IN_LINE = text(
    """
    SELECT coalesce(sum(s.size), 0) FROM slices s JOIN batches b ON b.id = s.batch_id
    WHERE s.state = 'READY' AND s.limited @> ARRAY[:operation] AND s.not_before > clock_timestamp()
      AND b.status = 'RUNNING' AND b.stopping IS NULL
    """
)

# There is no place: it waits until one is given back. LOCK_READY_SLICE has locked it.
PARK_SLICE = text(
    f"UPDATE slices SET parked_at = coalesce(parked_at, clock_timestamp()) WHERE {_THIS}"
)

# Its turn is so many seconds off. Where that is more than a message can wait (`longest`), the sweep
# sends it. LOCK_READY_SLICE has locked it.
PUT_OFF_SLICE = text(
    f"""
    UPDATE slices SET not_before = clock_timestamp() + make_interval(secs => :seconds),
                      sent_at = CASE WHEN :seconds > :longest THEN '-infinity'
                                ELSE clock_timestamp() + make_interval(secs => :seconds) END
    WHERE {_THIS}
    """
)

# Operations that have parked slices. One look at the table, by the sweep.
FIND_PARKED_OPERATIONS = text(
    "SELECT DISTINCT unnest(limited) AS operation FROM slices WHERE parked_at IS NOT NULL"
)

# Those that have waited longest, as many as there are places. By ix_slices_state; those that
# another transaction has locked are passed over.
RELEASE_PARKED_SLICES = text(
    f"""
    WITH next AS (
        SELECT s.batch_id, s.wave, s.number FROM slices s JOIN batches b ON b.id = s.batch_id
        WHERE s.state = 'READY' AND s.parked_at IS NOT NULL AND s.limited @> ARRAY[:operation]
          AND b.status = 'RUNNING' AND b.stopping IS NULL
        ORDER BY s.parked_at LIMIT :places FOR UPDATE OF s SKIP LOCKED
    )
    UPDATE slices s SET parked_at = NULL, sent_at = now() FROM next n
    WHERE s.batch_id = n.batch_id AND s.wave = n.wave AND s.number = n.number
    RETURNING {columns(SentSlice, "s")}
    """
)
