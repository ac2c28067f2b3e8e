"""Breakers: their state, what is counted for them, and who may try whether all is well again.

There is a row for each operation (and base) of which a try has ever failed for a reason outside its
item: some dozens. By the primary key or the unique one, unless said otherwise. Whoever changes a
breaker locks its row first, and nothing else but the webhooks that are told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.db.statements.rows import columns

# All that do not let items begin, as JSON, null for none: id, operation, base, status, by_hand,
# seconds until the next try, and seconds for which they are paced. An expression of one column, for
# statements that are made anyway.
OPEN_BREAKERS = """
    (SELECT CAST(json_agg(json_build_array(id, operation, base, status, by_hand,
        CAST(extract(epoch FROM probe_at - clock_timestamp()) AS float),
        CAST(extract(epoch FROM paced_until - clock_timestamp()) AS float))) AS text)
     FROM breakers WHERE status <> 'closed' OR paced_until > clock_timestamp())
"""

# Those, by themselves.
LIST_OPEN_BREAKERS = text(f"SELECT {OPEN_BREAKERS}")


@dataclass(frozen=True, slots=True)
class BreakerRow:
    """A breaker, as it is now."""

    id: int
    operation: str
    base: str
    status: str
    by_hand: bool
    changed_at: datetime
    paced_until: datetime | None


# All there are, in order.
LIST_BREAKERS = text(f"SELECT {columns(BreakerRow)} FROM breakers ORDER BY operation, base")

# The breaker of an operation and base, made where there is none yet; its row is locked.
LOCK_BREAKER = text(
    f"""
    INSERT INTO breakers AS known (operation, base) VALUES (:operation, :base)
    ON CONFLICT (operation, base) DO UPDATE SET operation = excluded.operation
    RETURNING {columns(BreakerRow)}
    """
)

# Locks those of the operation that are not closed, or paced, or of those the one of a base where it
# is said: in their order, so that two who do this do not wait crosswise.
LOCK_OPEN_BREAKERS = text(
    f"""
    SELECT {columns(BreakerRow)} FROM breakers
    WHERE operation = :operation AND (status <> 'closed' OR paced_until > clock_timestamp())
      AND (CAST(:base AS text) IS NULL OR base = CAST(:base AS text))
    ORDER BY id FOR NO KEY UPDATE
    """
)

# Tries that failed, into their tenth of the window; what is older than the window goes.
ADD_BREAKER_FAILURES = text(
    """
    WITH old AS (
        DELETE FROM breaker_failures WHERE breaker_id = :id
          AND at < clock_timestamp() - make_interval(secs => 2 * CAST(:within AS float))
    )
    INSERT INTO breaker_failures AS known (breaker_id, at, failed)
    VALUES (:id, date_bin(make_interval(secs => CAST(:within AS float) / 10), clock_timestamp(),
                          timestamptz '2000-01-01Z'), :failed)
    ON CONFLICT (breaker_id, at) DO UPDATE SET failed = known.failed + excluded.failed
    """
)


@dataclass(frozen=True, slots=True)
class Tries:
    """Tries of a window: those that failed, and what other processes said that went well."""

    failed: int
    succeeded: int


# What has been counted for a breaker within its window. Live workers tell with their heartbeats
# what went well.
COUNT_TRIES = text(
    """
    SELECT (SELECT coalesce(sum(failed), 0) FROM breaker_failures WHERE breaker_id = :id
              AND at > clock_timestamp() - make_interval(secs => CAST(:within AS float)))
               AS failed,
           (SELECT coalesce(sum(CAST(tries ->> CAST(:name AS text) AS integer)), 0) FROM workers
            WHERE tries IS NOT NULL AND id <> :worker
              AND heartbeat_at > clock_timestamp() - make_interval(secs => :stale))
               AS succeeded
    """
)

# A breaker that opens or closes counts anew.
FORGET_FAILURES = text("DELETE FROM breaker_failures WHERE breaker_id = :id")

# Too many have failed. LOCK_BREAKER has locked it, and seen it closed.
TRIP_BREAKER = text(
    """
    UPDATE breakers SET status = 'open', changed_at = clock_timestamp(), rest = :rest,
        probe_at = clock_timestamp() + make_interval(secs => :rest)
    WHERE id = :id RETURNING changed_at
    """
)

_NO_PROBE = "probe_token = NULL, probe_worker = NULL, probe_until = NULL"

# An admin opens it, whatever it is: nothing is tried until it is closed. The row is locked.
OPEN_BREAKER_BY_HAND = text(
    f"""
    UPDATE breakers SET status = 'open', by_hand = true, probe_at = NULL, {_NO_PROBE},
        changed_at = clock_timestamp()
    WHERE id = :id RETURNING changed_at
    """
)

# Nothing begins for so many seconds, or for longer where that was asked for. The row is locked.
PACE_BREAKER = text(
    """
    UPDATE breakers SET paced_until =
        greatest(paced_until, clock_timestamp() + make_interval(secs => :seconds))
    WHERE id = :id
    """
)

# An admin says that it need not be waited for. The row is locked.
END_PACE = text("UPDATE breakers SET paced_until = NULL WHERE id = :id")

# Its item was tried and all is well, or an admin says so. The row is locked.
CLOSE_BREAKER = text(
    f"""
    UPDATE breakers SET status = 'closed', by_hand = false, probe_at = NULL, {_NO_PROBE},
        changed_at = clock_timestamp()
    WHERE id = :id RETURNING changed_at
    """
)

# One item is to be tried: whoever gets the row is the only one. `lease`: seconds after which its
# try is taken for lost.
TAKE_PROBE = text(
    """
    UPDATE breakers SET status = 'probing', probe_at = NULL, probe_token = :token,
        probe_worker = :worker,
        probe_until = clock_timestamp() + make_interval(secs => :lease)
    WHERE id = :id AND status = 'open' AND NOT by_hand AND probe_at <= clock_timestamp()
    RETURNING id
    """
)

# The item that is tried is that of this token; locked, before it is closed.
LOCK_PROBE = text(
    f"""
    SELECT {columns(BreakerRow)} FROM breakers
    WHERE id = :id AND status = 'probing' AND probe_token = :token FOR NO KEY UPDATE
    """
)

# Its try failed, or said nothing: the next is in so many seconds; null: after its rest.
GIVE_PROBE_BACK = text(
    f"""
    UPDATE breakers SET status = 'open', {_NO_PROBE}, probe_at = clock_timestamp()
        + make_interval(secs => coalesce(CAST(:seconds AS float), rest))
    WHERE id = :id AND status = 'probing' AND probe_token = :token
    """
)

# The sweep: tries whose worker is dead, or took too long. Another may be made at once.
END_LOST_PROBES = text(
    f"""
    UPDATE breakers SET status = 'open', {_NO_PROBE}, probe_at = clock_timestamp()
    WHERE status = 'probing' AND (probe_until < clock_timestamp() OR NOT EXISTS (
        SELECT FROM workers w WHERE w.id = probe_worker
          AND w.heartbeat_at > clock_timestamp() - make_interval(secs => :stale)))
    RETURNING id
    """
)
