"""A step of retrying: items of an ended batch are as if they had never been tried.

Until all of them are, the batch stays as it ended, with the counts that it ended with. The last
step makes it PENDING, with the counts of what is not run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from app.batches.approval import is_needed
from app.batches.long_work.work import Work, tell
from app.batches.phase import phase_anew
from app.core import lifecycle
from app.core.lifecycle import CANCELED, FAILED, INVALID
from app.db.statements.batches import RETRY_BATCH, BatchRow
from app.db.statements.failures import DROP_FAILURES_WITH_STATUS
from app.db.statements.item_choices import DROP_FAILURES_WITHOUT_ITEMS, retry_chosen_items
from app.db.statements.long_work import RETRY_ITEMS, RETRY_ITEMS_WITH_CODE, RetriedItems
from app.db.statements.rows import row_of

# Whatever went wrong has a code; what was canceled has none, as a rule.
_WITH_CODE = {FAILED, INVALID}


def counts_by_status(batch: BatchRow) -> dict[str, int]:
    """How many items of an ended batch can be retried, by status."""
    return {FAILED: batch.failed, INVALID: batch.invalid, CANCELED: batch.canceled}


def step(connection: Connection, batch: BatchRow, work: Work, most: int) -> Work | None:
    """Retry those of the next `most` items that are to be. What is left of the work."""
    if work.where is not None:
        return _chosen(connection, batch, work, work.where, most)
    looking = _by_code if _WITH_CODE.issuperset(work.statuses) else _by_position
    left = looking(connection, batch, work, most)
    # An ended batch's counts are those of its items: with the last one found the rest is none.
    if left.index > 0 and left.done < left.total:
        return left
    connection.execute(
        DROP_FAILURES_WITH_STATUS, {"batch_id": batch.id, "statuses": list(work.statuses)}
    )
    counts = counts_by_status(batch)
    _begin_anew(
        connection,
        batch,
        {status: 0 if status in work.statuses else count for status, count in counts.items()},
    )
    return None


def _chosen(
    connection: Connection, batch: BatchRow, work: Work, where: Mapping[str, Any], most: int
) -> Work | None:
    given = where["given"]
    found = row_of(
        RetriedItems,
        connection.execute(
            retry_chosen_items(frozenset(given)),
            {**given, "batch_id": batch.id, "end": work.index, "most": most},
        ),
    )
    assert found is not None  # noqa: S101 (a SELECT without FROM is always a row)
    left = replace(work, index=found.first or 0, done=work.done + found.retried)
    if found.looked == most and left.index > 0 and left.done < left.total:
        return left
    connection.execute(DROP_FAILURES_WITHOUT_ITEMS, {"batch_id": batch.id})
    chosen = where["counts"]
    counts = counts_by_status(batch)
    _begin_anew(
        connection,
        batch,
        {status: count - chosen[status.lower()] for status, count in counts.items()},
    )
    return None


def _begin_anew(connection: Connection, batch: BatchRow, counts: Mapping[str, int]) -> None:
    """The batch is PENDING, with `counts` of what is not run again."""
    needed = is_needed(batch)
    phase = phase_anew(batch, checked=needed)
    connection.execute(
        RETRY_BATCH,
        {
            "batch_id": batch.id,
            "failed": counts[FAILED],
            "invalid": counts[INVALID],
            "canceled": counts[CANCELED],
            "phase": phase,
            "approval": lifecycle.APPROVAL_CHECKING if needed else batch.approval,
            # Validation looks at every item, so it is a first pass over all; a run picks those due.
            "next_index": 0 if phase == "validate" else batch.total,
        },
    )
    tell(connection, batch.id)


def _by_code(connection: Connection, batch: BatchRow, work: Work, most: int) -> Work:
    found = row_of(
        RetriedItems,
        connection.execute(
            RETRY_ITEMS_WITH_CODE,
            {
                "batch_id": batch.id,
                "end": work.index,
                "most": most,
                "statuses": list(work.statuses),
            },
        ),
    )
    assert found is not None  # noqa: S101 (a SELECT without FROM is always a row)
    first = 0 if found.first is None or found.looked < most else found.first
    return replace(work, index=first, done=work.done + found.retried)


def _by_position(connection: Connection, batch: BatchRow, work: Work, most: int) -> Work:
    first = max(0, work.index - most)
    retried = connection.execute(
        RETRY_ITEMS,
        {
            "batch_id": batch.id,
            "first": first,
            "end": work.index,
            "statuses": list(work.statuses),
        },
    ).rowcount
    return replace(work, index=first, done=work.done + retried)
