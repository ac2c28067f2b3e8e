"""Claiming a slice, and the fence that every write of its outcomes passes.

A claim is a token on the slice's row. Whoever writes outcomes names the token in the same
transaction; when the sweep has given the slice away in between, the token is gone, nothing is
written, and `LostClaim` says so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.batches.guards import Guards, guards_of
from app.batches.phase import CALLING
from app.core.ids import new_id
from app.core.jsontext import loads
from app.db.statements.rows import row_of
from app.db.statements.sessions import COMMIT_UNHURRIED
from app.db.statements.slice_claims import (
    ADD_COUNTS_TO_SLICE,
    CLAIM_SLICE,
    HOLD_CLAIM,
    TakenSlice,
)
from app.messaging.broker import FAST_QUEUE, SLOW_QUEUE
from handlers import Registry
from workers.engine.breakers.book import BreakerBook
from workers.engine.claim.limits import Refused, pass_limits


class LostClaim(Exception):
    """The slice was given to another process; what this one did with it must not be kept."""


@dataclass(frozen=True, slots=True)
class ClaimedSlice:
    """A slice that belongs to this process, with what its batch says about running it.

    `whole`: it holds all items of its batch, which has begun with it. `began`: when it did, by this
    process's monotonic clock.
    """

    batch_id: UUID
    wave: int
    number: int
    claim: UUID
    claimed_at: datetime
    client_id: UUID
    operation: str | None
    queue: str
    phase: str
    first_index: int
    last_index: int
    picks: list[int] | None
    size: int
    limited: list[str] | None
    guards: Guards | None
    metadata: dict[str, Any]
    whole: bool = False
    # What its handlers do is undone.
    dry_effects: bool = False
    began: float = field(default_factory=time.monotonic)
    # The one operation of its items, where they have one, and how often it has been passed on.
    slice_operation: str | None = None
    passes: int = 0
    # Of the request that submitted its batch.
    request_id: str | None = None

    @property
    def calls_handlers(self) -> bool:
        """Whether its items are run, or only looked at."""
        return self.phase in CALLING

    @property
    def line(self) -> str:
        """The line of workers that it ran in, "fast" or "slow"."""
        return SLOW_QUEUE if self.queue == SLOW_QUEUE else FAST_QUEUE


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
    connection.execute(COMMIT_UNHURRIED)
    claim = new_id()
    this = {"batch_id": batch_id, "wave": wave, "number": number}
    taking = {**this, "claim": claim, "worker": worker_id, "passed": False}
    row = row_of(TakenSlice, connection.execute(CLAIM_SLICE, taking))
    if row is None:
        refused = pass_limits(connection, registry, batch_id, wave, number)
        if refused is not True:
            return refused
        taking["passed"] = True
        row = row_of(TakenSlice, connection.execute(CLAIM_SLICE, taking))
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
        queue=row.queue,
        phase=row.phase,
        first_index=row.first_index,
        last_index=row.last_index,
        picks=row.picks,
        size=row.size,
        limited=row.limited,
        guards=guards_of(row.max_failures, row.max_failure_percent, row.min_processed),
        metadata=loads(row.metadata) if row.metadata else {},
        slice_operation=row.slice_operation,
        passes=row.passes,
        dry_effects=row.dry_effects,
        request_id=row.request_id,
    )


def hold(connection: Connection, claimed: ClaimedSlice, book: BreakerBook | None = None) -> None:
    """Keep the slice from being taken over while the transaction lasts, or raise LostClaim.

    `book`: is told which breakers are open, by the same statement.
    """
    this = {
        "batch_id": claimed.batch_id,
        "wave": claimed.wave,
        "number": claimed.number,
        "claim": claimed.claim,
    }
    began = 0.0 if book is None else book.now()
    held = connection.execute(HOLD_CLAIM, this).one_or_none()
    if held is None:
        raise LostClaim(f"slice {claimed.number} of wave {claimed.wave} of {claimed.batch_id}")
    if book is not None:
        book.saw(held.breakers, began=began)


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
    """The fence: add the counts of what has ended to the slice, or raise LostClaim.

    `left`: items that the slice gives up untried.
    """
    written = connection.execute(
        ADD_COUNTS_TO_SLICE,
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
