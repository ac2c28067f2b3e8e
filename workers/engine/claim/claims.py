"""Claiming a slice, and the fence that every write of its outcomes passes.

A claim is a token on the slice's row. Whoever writes outcomes names the token in the same
transaction; when the sweep has given the slice away in between, the token is gone, nothing is
written, and `LostClaim` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from app.core.ids import new_id
from app.core.jsontext import loads
from handlers import Registry
from workers.engine.claim.limits import Refused, pass_limits


class LostClaim(Exception):
    """The slice was given to somebody else; what this process did with it must not be kept."""


@dataclass(frozen=True, slots=True)
class ClaimedSlice:
    """A slice that belongs to this process, with what its batch says about running it."""

    batch_id: UUID
    wave: int
    number: int
    claim: UUID
    claimed_at: datetime
    client_id: UUID
    operation: str | None
    phase: str
    first_index: int
    last_index: int
    picks: list[int] | None
    limited: list[str] | None
    max_failures: int | None
    metadata: dict[str, Any]


# The claim alone need not survive a crash of Postgres: without it the slice is READY again.
_UNHURRIED = text("SET LOCAL synchronous_commit = off")
_CLAIM = text(
    """
    UPDATE slices s SET state = 'CLAIMED', claim = :claim, worker_id = :worker,
                        claimed_at = now()
    FROM batches b
    WHERE s.batch_id = :batch_id AND s.wave = :wave AND s.number = :number AND s.state = 'READY'
      AND b.id = s.batch_id AND b.status = 'RUNNING' AND b.stopping IS NULL
      AND (s.limited IS NULL OR :passed)
    RETURNING s.first_index, s.last_index, s.picks, s.limited, s.phase, s.claimed_at, b.operation,
              b.client_id, b.max_failures, b.metadata::text AS metadata
    """
)
# In the order in which the sweep locks too: the slice before its items.
_HOLD = text(
    """
    SELECT FROM slices WHERE batch_id = :batch_id AND wave = :wave AND number = :number
      AND claim = :claim AND state = 'CLAIMED'
    FOR NO KEY UPDATE
    """
)
_ADD = text(
    """
    UPDATE slices SET completed = completed + :completed, failed = failed + :failed,
                      invalid = invalid + :invalid, size = size - :left, state = :state,
                      seconds = extract(epoch FROM clock_timestamp() - claimed_at)
    WHERE batch_id = :batch_id AND wave = :wave AND number = :number
      AND claim = :claim AND state = 'CLAIMED'
    """
)


def claim_slice(
    connection: Connection,
    registry: Registry,
    batch_id: UUID,
    wave: int,
    number: int,
    worker_id: UUID,
) -> ClaimedSlice | Refused | None:
    """Take the slice; None where it is not READY (taken, done, or gone) or may not run.

    `Refused` where a limit of its operation does not let it run now.
    """
    connection.execute(_UNHURRIED)
    claim = new_id()
    this = {"batch_id": batch_id, "wave": wave, "number": number}
    taking = {**this, "claim": claim, "worker": worker_id, "passed": False}
    row = connection.execute(_CLAIM, taking).one_or_none()
    if row is None:
        refused = pass_limits(connection, registry, batch_id, wave, number)
        if refused is not True:
            return refused
        row = connection.execute(_CLAIM, {**taking, "passed": True}).one_or_none()
        if row is None:
            return None
    return ClaimedSlice(
        batch_id=batch_id,
        wave=wave,
        number=number,
        claim=claim,
        claimed_at=row.claimed_at,
        client_id=row.client_id,
        operation=row.operation,
        phase=row.phase,
        first_index=row.first_index,
        last_index=row.last_index,
        picks=row.picks,
        limited=row.limited,
        max_failures=row.max_failures,
        metadata=loads(row.metadata) if row.metadata else {},
    )


def hold(connection: Connection, claimed: ClaimedSlice) -> None:
    """Keep the slice from being taken over while the transaction lasts, or raise LostClaim."""
    this = {
        "batch_id": claimed.batch_id,
        "wave": claimed.wave,
        "number": claimed.number,
        "claim": claimed.claim,
    }
    if connection.execute(_HOLD, this).one_or_none() is None:
        raise LostClaim(f"slice {claimed.number} of wave {claimed.wave} of {claimed.batch_id}")


def add_counts(
    connection: Connection,
    claimed: ClaimedSlice,
    *,
    completed: int = 0,
    failed: int = 0,
    invalid: int = 0,
    left: int = 0,
    done: bool,
) -> None:
    """The fence: add what has ended to the slice, or raise LostClaim, which rolls all back.

    `left`: items that the slice gives up without having tried them.
    """
    written = connection.execute(
        _ADD,
        {
            "batch_id": claimed.batch_id,
            "wave": claimed.wave,
            "number": claimed.number,
            "claim": claimed.claim,
            "completed": completed,
            "failed": failed,
            "invalid": invalid,
            "left": left,
            "state": "DONE" if done else "CLAIMED",
        },
    )
    if written.rowcount != 1:
        raise LostClaim(f"slice {claimed.number} of wave {claimed.wave} of {claimed.batch_id}")
