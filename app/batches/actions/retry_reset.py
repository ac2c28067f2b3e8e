"""retry and reset: an ended batch begins again, with its items or without."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from app.batches.actions.lock import require
from app.batches.submission import first_phase
from app.core import lifecycle
from app.core.errors import FieldError, Invalid, WrongState
from app.db.statements.batches import RESET_BATCH, RETRY_BATCH, BatchRow
from app.db.statements.items import DELETE_ITEMS, RETRY_ITEMS

DEFAULT_RETRIED = (lifecycle.FAILED,)
RETRIED = (lifecycle.FAILED, lifecycle.INVALID, lifecycle.CANCELED)


def retry(connection: Connection, batch: BatchRow, statuses: Iterable[str]) -> bool:
    """Run the items that ended with one of `statuses` again, as if never tried."""
    chosen = _chosen(statuses)
    require(batch, lifecycle.BATCH_ENDED, "be retried")
    # An ended batch's counts are those of its items.
    counts = {
        lifecycle.FAILED: batch.failed,
        lifecycle.INVALID: batch.invalid,
        lifecycle.CANCELED: batch.canceled,
    }
    if not any(counts[status] for status in chosen):
        raise WrongState(
            f"The batch is {batch.status} and has no item that ended {' or '.join(chosen)}: "
            "there is nothing to retry."
        )
    left = {status: 0 if status in chosen else count for status, count in counts.items()}
    phase = first_phase(batch.on_invalid, batch.dry_run)
    connection.execute(RETRY_ITEMS, {"batch_id": batch.id, "statuses": list(chosen)})
    connection.execute(
        RETRY_BATCH,
        {
            "batch_id": batch.id,
            "failed": left[lifecycle.FAILED],
            "invalid": left[lifecycle.INVALID],
            "canceled": left[lifecycle.CANCELED],
            "phase": phase,
            # Validation looks at every item, so it is a first pass over all; a run picks those due.
            "next_index": 0 if phase == "validate" else batch.total,
        },
    )
    return True


def reset(connection: Connection, batch: BatchRow) -> bool:
    """Remove the items; the batch is OPEN again, as when it was made."""
    require(batch, lifecycle.BATCH_ENDED, "be reset")
    connection.execute(DELETE_ITEMS, {"batch_id": batch.id})
    phase = first_phase(batch.on_invalid, batch.dry_run)
    connection.execute(RESET_BATCH, {"batch_id": batch.id, "phase": phase})
    return False


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
