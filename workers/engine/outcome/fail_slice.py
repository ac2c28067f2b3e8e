"""Items that the engine itself ends FAILED.

Those of a slice that cannot be written, or one whose handler cannot be interrupted. Both find their
items by the slice's row, under its claim.
"""

from __future__ import annotations

import structlog
from sqlalchemy import Connection, Engine

from app.batches.failures.grouping import group_items
from app.db import transaction
from app.db.statements.held_items import held_by
from app.db.statements.item_outcomes import fail_held_items
from app.db.statements.rows import row_of
from app.db.statements.slice_claims import (
    END_CLAIM,
    FIND_WORKER_OF_CLAIM,
    LOCK_CLAIM,
    ClaimedRow,
)
from workers.engine.claim.claims import ClaimedSlice, LostClaim
from workers.engine.outcome.classify import HANDLER_ERROR
from workers.engine.outcome.regroup import regroup, take_again
from workers.engine.outcome.write_outcomes import shown
from workers.engine.process.sessions import end_sessions
from workers.engine.process.time_limit import TimeLimitExceeded, exceeded
from workers.engine.process.watchdog import Overrun
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)


def fail_slice(runtime: Runtime, claimed: ClaimedSlice, why: str) -> None:
    """End whatever of the slice has not ended: tried over and over, it could not be written.

    An error that nobody expected must end somewhere, and where it can be seen.
    """
    log.error("slice.failed", batch=str(claimed.batch_id), slice=claimed.number, error=why)
    with transaction(runtime.engine) as connection:
        row = row_of(ClaimedRow, connection.execute(LOCK_CLAIM, {"claim": claimed.claim}))
        if row is None:
            raise LostClaim(f"slice {claimed.number} of wave {claimed.wave} of {claimed.batch_id}")
        failed = _fail(
            connection, row, code=HANDLER_ERROR, message=f"Could not be processed: {why}"
        )
        connection.execute(END_CLAIM, {"claim": claimed.claim, "state": "DONE", "failed": failed})


def end_overrun(engine: Engine, overrun: Overrun) -> None:
    """Write what a process is about to be ended for: its item has FAILED, its neighbours go on.

    Where a call had several items they are tried again apart: it will be seen which it was.
    """
    with transaction(engine) as connection:
        this = {"claim": overrun.claim}
        # The handler's own transaction, if it is in one, holds the slice's row.
        end_sessions(connection, connection.execute(FIND_WORKER_OF_CLAIM, this).scalars())
        row = row_of(ClaimedRow, connection.execute(LOCK_CLAIM, this))
        if row is None:
            return
        message = exceeded(overrun.seconds)
        log.warning(
            "item.killed", batch=str(row.batch_id), index=overrun.index, seconds=overrun.seconds
        )
        if overrun.index is None:
            regroup(
                connection, row, take_again(connection, row, f"{message}, together with others.")
            )
            failed = 0
        else:
            message += " and could not be interrupted; its process was ended"
            failed = _fail(
                connection,
                row,
                code=TimeLimitExceeded.default_code,
                message=message,
                only=overrun.index,
            )
        state = "DONE" if overrun.index is None else "READY"
        connection.execute(END_CLAIM, {"claim": overrun.claim, "state": state, "failed": failed})


def _fail(
    connection: Connection, row: ClaimedRow, *, code: int, message: str, only: int | None = None
) -> int:
    """End what the slice of that row still has to do, or the item `only` of it; how many."""
    these = held_by(row)
    if only is not None:
        these |= {"first_index": only, "last_index": only}
    failed = connection.execute(
        fail_held_items(picked=row.picks is not None),
        {**these, "code": code, "message": shown(message)},
    ).rowcount
    group_items(connection, row.batch_id, these["first_index"], these["last_index"])
    return failed
