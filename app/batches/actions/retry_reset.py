"""retry and reset: an ended batch begins again, with its items or without."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, text

from app.batches.actions.lock import require
from app.batches.submission import first_phase
from app.core import lifecycle
from app.core.errors import FieldError, Invalid, WrongState

DEFAULT_RETRIED = (lifecycle.FAILED,)
RETRIED = (lifecycle.FAILED, lifecycle.INVALID, lifecycle.CANCELED)

# They are due at once, each by itself, and not by the first pass: a few of many are then found
# without walking over all. Their lanes are found anew, since not all of one may run again.
_ITEMS_AGAIN = text(
    """
    UPDATE items SET status = 'PENDING', attempts = 0, crashes = 0, deferred = false,
        code = NULL, message = NULL, result = NULL, lane = NULL, due_at = now(),
        started_at = NULL, finished_at = NULL
    WHERE batch_id = :batch_id AND status = ANY(:statuses)
    """
)
_BATCH_AGAIN = text(
    """
    UPDATE batches SET status = 'PENDING', failed = :failed, invalid = :invalid,
        canceled = :canceled, forgiven = :failed + :invalid, phase = :phase,
        next_index = :next_index,
        stop_reason = NULL, stopping = NULL, stalled = 0, due_at = NULL,
        started_at = NULL, finished_at = NULL, revision = revision + 1
    WHERE id = :batch_id
    """
)
_EMPTY = text("DELETE FROM items WHERE batch_id = :batch_id")
# The count of waves goes on, so that no message of old can name a slice to come.
_RESET = text(
    """
    UPDATE batches SET status = 'OPEN', total = 0, completed = 0, failed = 0, invalid = 0,
        canceled = 0, forgiven = 0, phase = :phase, next_index = 0, mixed = false,
        may_repeat = false,
        stop_reason = NULL, stopping = NULL, stalled = 0, due_at = NULL,
        scheduled_at = NULL, started_at = NULL, finished_at = NULL, revision = revision + 1
    WHERE id = :batch_id
    """
)


def retry(connection: Connection, batch: Any, statuses: Iterable[str]) -> bool:
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
    connection.execute(_ITEMS_AGAIN, {"batch_id": batch.id, "statuses": list(chosen)})
    connection.execute(
        _BATCH_AGAIN,
        {
            "batch_id": batch.id,
            "failed": left[lifecycle.FAILED],
            "invalid": left[lifecycle.INVALID],
            "canceled": left[lifecycle.CANCELED],
            "phase": phase,
            # Looking at every item is a walk over all of them; running those due is not.
            "next_index": 0 if phase == "validate" else batch.total,
        },
    )
    return True


def reset(connection: Connection, batch: Any) -> bool:
    """Remove the items; the batch is OPEN again, as when it was made."""
    require(batch, lifecycle.BATCH_ENDED, "be reset")
    connection.execute(_EMPTY, {"batch_id": batch.id})
    phase = first_phase(batch.on_invalid, batch.dry_run)
    connection.execute(_RESET, {"batch_id": batch.id, "phase": phase})
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
