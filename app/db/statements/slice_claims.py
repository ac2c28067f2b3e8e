"""A slice's claim: taken, held, passed as a fence, ended, and taken from the dead.

By the primary key of the slice, unless said otherwise. A few statements look for a claim by its
token alone, where no more is known; the table is small.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.db.statements.breakers import OPEN_BREAKERS
from app.db.statements.rows import columns

_THIS = "batch_id = :batch_id AND wave = :wave AND number = :number"
_FREE = "claim = NULL, worker_id = NULL, sent_at = '-infinity'"


@dataclass(frozen=True, slots=True)
class TakenSlice:
    """A slice that has just been claimed, with what its batch says about running it."""

    first_index: int
    last_index: int
    picks: list[int] | None
    size: int
    queue: str
    limited: list[str] | None
    phase: str
    claimed_at: datetime
    operation: str | None
    client_id: UUID
    max_failures: int | None
    max_failure_percent: Decimal | None
    min_processed: int | None
    metadata: str | None
    slice_operation: str | None
    passes: int
    dry_effects: bool
    request_id: str | None


# A worker takes the slice, if it is READY and its batch may run. One with a limit only where that
# let it (`passed`). Locks the slice alone: a claim never waits for a batch.
CLAIM_SLICE = text(
    """
    UPDATE slices s SET state = 'CLAIMED', claim = :claim, worker_id = :worker,
                        claimed_at = now()
    FROM batches b
    WHERE s.batch_id = :batch_id AND s.wave = :wave AND s.number = :number AND s.state = 'READY'
      AND b.id = s.batch_id AND b.status = 'RUNNING' AND b.stopping IS NULL
      AND (s.limited IS NULL OR :passed)
    RETURNING s.first_index, s.last_index, s.picks, s.size, s.queue, s.limited, s.phase,
              s.claimed_at, b.operation, b.client_id, b.max_failures, b.max_failure_percent,
              b.min_processed, b.metadata::text AS metadata,
              s.operation AS slice_operation, s.passes, b.dry_effects, b.request_id
    """
)

# Before items are written: keeps the slice from being taken over. In the order in which the sweep
# locks too: the slice before its items. And which breakers are open, for nearly nothing.
HOLD_CLAIM = text(
    f"""
    SELECT {OPEN_BREAKERS} AS breakers FROM slices
    WHERE {_THIS} AND claim = :claim AND state = 'CLAIMED'
    FOR NO KEY UPDATE
    """
)

# The fence: writes what has ended only where the claim still stands.
ADD_COUNTS_TO_SLICE = text(
    f"""
    UPDATE slices SET completed = completed + :completed, failed = failed + :failed,
                      invalid = invalid + :invalid, size = size - :left, state = :state,
                      seconds = extract(epoch FROM clock_timestamp() - claimed_at)
    WHERE {_THIS} AND claim = :claim AND state = 'CLAIMED'
    """
)


@dataclass(frozen=True, slots=True)
class ClaimedRow:
    """A claimed slice, with what is needed to end its claim."""

    batch_id: UUID
    wave: int
    number: int
    operation: str | None
    queue: str
    phase: str
    first_index: int
    last_index: int
    picks: list[int] | None
    limited: list[str] | None
    claim: UUID
    worker_id: UUID | None
    claimed_at: datetime


# The engine ends a slice by itself: it cannot be written, or its process has to be ended. By the
# token.
LOCK_CLAIM = text(
    f"""
    SELECT {columns(ClaimedRow)} FROM slices
    WHERE claim = :claim AND state = 'CLAIMED' FOR UPDATE
    """
)

# The worker whose session may hold the slice's row locked. By the token; no lock.
FIND_WORKER_OF_CLAIM = text(
    "SELECT worker_id FROM slices WHERE claim = :claim AND state = 'CLAIMED'"
)

# The slice is DONE, or READY for its other items. By the token; LOCK_CLAIM has locked it.
END_CLAIM = text(
    f"UPDATE slices SET state = :state, failed = failed + :failed, {_FREE} WHERE claim = :claim"
)


@dataclass(frozen=True, slots=True)
class StaleClaim:
    """A claim whose worker is dead, or seems so. `ended`: what it died of, where that is known."""

    slice: ClaimedRow
    ended: str | None


def stale_claim(row: Any) -> StaleClaim:
    """A row of FIND_STALE_CLAIMS."""
    return StaleClaim(ClaimedRow(*row[:-1]), row.ended)


# Claims of workers that are `gone`, or have been silent for `stale` seconds. By
# ix_slices_state, and the primary key of workers; no lock.
FIND_STALE_CLAIMS = text(
    f"""
    SELECT {columns(ClaimedRow, "s")}, w.ended
    FROM slices s LEFT JOIN workers w ON w.id = s.worker_id
    WHERE s.state = 'CLAIMED'
      AND (w.id IS NULL OR w.id = ANY(CAST(:gone AS uuid[]))
           OR w.heartbeat_at < now() - make_interval(secs => :stale))
    """
)

# A slice that is still locked is left to the next sweep, so that this one does not wait.
LOCK_STALE_CLAIM = text(
    f"""
    SELECT FROM slices WHERE {_THIS} AND claim = :claim AND state = 'CLAIMED'
    FOR UPDATE SKIP LOCKED
    """
)

# The dead worker's claim is gone; should it come back, the fence stops it. LOCK_STALE_CLAIM has
# locked the slice.
TAKE_CLAIM = text(f"UPDATE slices SET state = :state, {_FREE} WHERE {_THIS}")

# Those of its items that ended with it.
ADD_FAILED_TO_SLICE = text(f"UPDATE slices SET failed = failed + :failed WHERE {_THIS}")

# A worker that stops gives back what it holds. By ix_slices_state.
GIVE_BACK_CLAIMS_OF_WORKERS = text(
    f"""
    UPDATE slices SET state = 'READY', {_FREE}
    WHERE worker_id = ANY(:ids) AND state = 'CLAIMED'
    """
)

# Slices whose run broke off without a word to the database (it was away, say). By ix_slices_state.
GIVE_BACK_CLAIMS = text(
    f"""
    UPDATE slices SET state = 'READY', {_FREE}
    WHERE claim = ANY(:claims) AND state = 'CLAIMED'
    """
)
