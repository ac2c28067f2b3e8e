"""retry and reset: an ended batch begins again, with its items or without."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from app.batches.actions.lock import Moved, require
from app.batches.long_work import Pace, Work, begin
from app.batches.long_work.retrying import counts_by_status
from app.core import lifecycle
from app.core.errors import FieldError, Invalid, WrongState
from app.db.statements.batches import BatchRow
from app.db.statements.long_work import DROP_SLICES

DEFAULT_RETRIED = (lifecycle.FAILED,)
RETRIED = (lifecycle.FAILED, lifecycle.INVALID, lifecycle.CANCELED)


def retry(connection: Connection, batch: BatchRow, statuses: Iterable[str], pace: Pace) -> Moved:
    """Run the items that ended with one of `statuses` again, as if never tried."""
    chosen = _chosen(statuses)
    require(batch, lifecycle.BATCH_ENDED, "be retried")
    # An ended batch's counts are those of its items.
    counts = counts_by_status(batch)
    total = sum(counts[status] for status in chosen)
    if not total:
        raise WrongState(
            f"The batch is {batch.status} and has no item that ended {' or '.join(chosen)}: "
            "there is nothing to retry."
        )
    connection.execute(DROP_SLICES, {"batch_id": batch.id})
    work = Work(lifecycle.RETRY, index=batch.total, total=total, statuses=tuple(chosen))
    more = begin(connection, batch, work, pace)
    return Moved(advance=True, more=more, detail={"statuses": chosen, "items": total})


def reset(connection: Connection, batch: BatchRow, pace: Pace) -> Moved:
    """Remove the items; the batch is OPEN again, as when it was made."""
    require(batch, lifecycle.BATCH_ENDED, "be reset")
    connection.execute(DROP_SLICES, {"batch_id": batch.id})
    work = Work(lifecycle.RESET, index=batch.total, total=batch.total)
    more = begin(connection, batch, work, pace)
    return Moved(advance=False, more=more, detail={"items": batch.total})


def _chosen(statuses: Iterable[str]) -> list[str]:
    chosen = list(dict.fromkeys(statuses))
    allowed = ", ".join(RETRIED)
    errors = [
        FieldError(f"/statuses/{position}", f"Must be one of {allowed}.")
        for position, status in enumerate(chosen)
        if status not in RETRIED
    ]
    if not chosen:
        errors = [FieldError("/statuses", f"Must name at least one of {allowed}.")]
    if errors:
        raise Invalid(f"Items to retry are chosen by {allowed}.", errors=errors)
    return chosen
