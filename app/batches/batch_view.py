"""A batch as it is shown: each of its fields is declared here, and nowhere else.

A batch's row holds what the waves that were folded in ended with; the slices of the wave that is
under way add to it (app/db/statements/batch_views.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping

from app.batches.fields import (
    FlagOrWord,
    JsonObjectText,
    WholeNumbers,
    columns_of,
    shown,
    values_of,
)
from app.batches.ramp import HOLDS
from app.core.lifecycle import (
    BATCH_ENDED,
    BATCH_STATUSES,
    CANCEL,
    CANCEL_ITEMS,
    LONG_ACTIONS,
)

_LONG_ACTIONS = ", ".join(f"'{action}'" for action in LONG_ACTIONS)


# In the SQL of both, `b` is the batch, `live` what its slices add, `held` its items that are held.
@dataclass(frozen=True, slots=True)
class Summary:
    """A batch's items by how they stand."""

    total: int = field(metadata=shown("All items.", sql="b.total"))
    pending: int = field(metadata=shown("Not begun, or waiting to be tried again."))
    # A range of the first pass passes over items with repeated keys, so that its size says too
    # much: only where a batch may have such are the items themselves counted.
    running: int = field(
        metadata=shown(
            "Being processed.",
            sql="""CASE WHEN b.may_repeat THEN coalesce(held.running, 0)
                        ELSE coalesce(live.running, 0) END""",
        )
    )
    completed: int = field(
        metadata=shown("Ended SUCCESS.", sql="b.completed + coalesce(live.completed, 0)")
    )
    failed: int = field(metadata=shown("Ended FAILED.", sql="b.failed + coalesce(live.failed, 0)"))
    invalid: int = field(
        metadata=shown("Ended INVALID.", sql="b.invalid + coalesce(live.invalid, 0)")
    )
    canceled: int = field(metadata=shown("Ended CANCELED.", sql="b.canceled"))
    processed: int = field(metadata=shown("completed + failed + invalid."))

    @property
    def ended(self) -> int:
        """Processed or canceled."""
        return self.processed + self.canceled


@dataclass(frozen=True, slots=True)
class Doing:
    """A long action that goes on behind the answer, and how far it is."""

    action: str = field(
        metadata=shown(
            "What the caller asked for.",
            sql=f"""CASE WHEN b.doing IN ({_LONG_ACTIONS}) THEN b.doing
                         WHEN b.doing = '{CANCEL_ITEMS}' THEN '{CANCEL}' END""",
            choices=LONG_ACTIONS,
        )
    )
    done: int = field(metadata=shown("Items that it is through with.", sql="b.doing_done"))
    total: int = field(metadata=shown("Items that it is about.", sql="b.doing_total"))


@dataclass(frozen=True, slots=True)
class RampView:
    """The steps that a batch begins with."""

    steps: WholeNumbers = field(metadata=shown("Items of each step.", sql="b.ramp->'steps'"))
    hold: str = field(
        metadata=shown(
            "`approve`: it is PAUSED after each step.", sql="b.ramp->>'hold'", choices=HOLDS
        )
    )
    max_failure_percent: float = field(
        metadata=shown(
            "A larger share of a step's items FAILED or INVALID pauses it.",
            sql="CAST(b.ramp->>'maxFailurePercent' AS float)",
        )
    )


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch."""

    id: UUID = field(metadata=shown(sql="b.id"))
    name: str | None = field(metadata=shown(sql="b.name"))
    operation: str | None = field(metadata=shown("null: the items name theirs.", sql="b.operation"))
    status: str = field(metadata=shown(sql="b.status", choices=BATCH_STATUSES))
    created_at: datetime = field(metadata=shown("When it was submitted.", sql="b.created_at"))
    scheduled_at: datetime | None = field(
        metadata=shown("When it is to start.", sql="b.scheduled_at")
    )
    started_at: datetime | None = field(metadata=shown("When it began.", sql="b.started_at"))
    finished_at: datetime | None = field(metadata=shown("When it ended.", sql="b.finished_at"))
    progress: float = field(metadata=shown("The part of its items that have ended, 0 to 1."))
    metadata: JsonObjectText | None = field(metadata=shown(sql="b.metadata::text"))
    stop_reason: str | None = field(
        metadata=shown(
            "Why the rest was canceled: `canceled`, `rejected`, `max_failures` or "
            "`max_failure_percent`; or `ramp`: it is PAUSED, as too much of a step failed.",
            sql="b.stop_reason",
        )
    )
    dialect: str = field(
        metadata=shown("The API it came by: `native`, or a dialect.", sql="b.dialect")
    )
    reference: str | None = field(
        metadata=shown("The id that the dialect gave.", sql="b.reference")
    )
    dry_run: FlagOrWord = field(
        metadata=shown(
            "`true`: it is only validated. `effects`: what its handlers did is undone.",
            sql="CASE WHEN b.dry_effects THEN '\"effects\"' ELSE b.dry_run::text END",
            choices=("effects",),
        )
    )
    on_invalid: str = field(
        metadata=shown(
            "`reject`: nothing runs if an item is invalid.",
            sql="b.on_invalid",
            choices=("partial", "reject"),
        )
    )
    max_failures: int | None = field(
        metadata=shown(
            "More FAILED and INVALID items than this cancel the rest.", sql="b.max_failures"
        )
    )
    max_failure_percent: float | None = field(
        metadata=shown(
            "A larger share of the processed items FAILED or INVALID cancels the rest.",
            sql="CAST(b.max_failure_percent AS float)",
        )
    )
    ramp: RampView | None = field(metadata=shown("The steps that it begins with, if any."))
    approval: bool = field(
        metadata=shown("Whether another key has to approve it.", sql="b.approval IS NOT NULL")
    )
    # Nothing is under way where it has no slice: what is due is then waited for. `worker` is not in
    # the row: app/batches/waiting.py.
    waiting_for: str | None = field(
        metadata=shown(
            "What it waits for before it goes on: `approval`, `ramp` (`resume`, after a step), "
            "`schedule` (its time), `worker` (no live one has its operation), `breaker` (its "
            "operation is left alone: what that needs is away, or asked for a pause) or `retry` "
            "(of items that are to be tried again later); the first of these that holds, null "
            "where it does not wait.",
            sql="""CASE WHEN b.status = 'AWAITING' THEN 'approval'
                        WHEN b.status = 'PAUSED' AND b.ramp_held THEN 'ramp'
                        WHEN b.status = 'SCHEDULED' THEN 'schedule'
                        WHEN b.status = 'RUNNING' AND live.completed IS NULL AND b.due_at > now()
                             AND (b.held IS NOT NULL OR b.due_at >= timestamptz '9000-01-01Z')
                        THEN 'breaker'
                        WHEN b.status = 'RUNNING' AND b.due_at > now() AND live.completed IS NULL
                        THEN 'retry' END""",
        )
    )
    summary: Summary = field(metadata=shown())
    doing: Doing | None = field(
        metadata=shown("A long action under way; until it is over, others are refused. Else null.")
    )
    client_id: UUID = field(metadata=shown(sql="b.client_id", visible=False))
    # Whether the rest of it is being canceled.
    stopping: bool = field(metadata=shown(sql="b.stopping IS NOT NULL", visible=False))
    # Whether its items name operations of their own; and then those of its slices that are not
    # over, where all that is left of it is in these (null among them: a slice of several).
    mixed: bool = field(metadata=shown(sql="b.mixed", visible=False))
    left_in_slices: list[str | None] | None = field(
        metadata=shown(
            sql="""CASE WHEN b.mixed AND b.status = 'RUNNING' AND b.next_index >= b.total
                        AND b.due_at IS NULL THEN live.operations END""",
            visible=False,
        )
    )
    # Counts the changes of the batch's row.
    revision: int = field(metadata=shown(sql="b.revision", visible=False))

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.status in BATCH_ENDED and self.doing is None


_DOING = "doing_"
_RAMP = "ramp_"
BATCH_COLUMNS = {
    **columns_of(BatchView, Summary),
    **columns_of(Doing, prefix=_DOING),
    **columns_of(RampView, prefix=_RAMP),
}
"""What reads a `BatchView`, for the statements of app/db/statements/batch_views.py."""


def batch_view(row: RowMapping) -> BatchView:
    """The batch that such a statement found."""
    summary = _summary(row)
    return BatchView(
        **values_of(BatchView, row),
        progress=1.0 if row["status"] in BATCH_ENDED else _progress(summary),
        summary=summary,
        ramp=None if row["ramp_hold"] is None else RampView(**values_of(RampView, row, _RAMP)),
        doing=None if row["doing_action"] is None else Doing(**values_of(Doing, row, _DOING)),
    )


def _summary(row: RowMapping) -> Summary:
    # The sums of slices come as numbers that JSON would write otherwise than counts.
    counts = {name: int(number) for name, number in values_of(Summary, row).items()}
    processed = counts["completed"] + counts["failed"] + counts["invalid"]
    left = counts["total"] - processed - counts["canceled"]
    counts["running"] = max(0, min(counts["running"], left))
    return Summary(**counts, pending=left - counts["running"], processed=processed)


def _progress(summary: Summary) -> float:
    """In ten-thousandths; 1 only for a batch that has ended."""
    if not summary.total:
        return 0.0
    return min(summary.ended * 10_000 // summary.total, 9_999) / 10_000
