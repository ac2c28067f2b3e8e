"""What can be done with a batch in its state, and in which words that is asked."""

from __future__ import annotations

from dataclasses import dataclass

from app.batches.batch_view import BatchView
from app.core.lifecycle import (
    AWAITING,
    BATCH_ENDED,
    OPEN,
    PAUSED,
    PENDING,
    RUNNING,
    SCHEDULED,
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A button. `title`, `sentence`: what is asked first, where it loses something; else empty."""

    action: str
    label: str
    title: str = ""
    sentence: str = ""
    style: str = ""

    @property
    def confirmed(self) -> bool:
        """Whether it is asked first."""
        return bool(self.title)


_BY_STATE: dict[str, tuple[str, ...]] = {
    OPEN: ("start", "cancel"),
    SCHEDULED: ("start", "cancel"),
    AWAITING: ("approve", "reject", "cancel"),
    PENDING: ("pause", "cancel"),
    RUNNING: ("pause", "cancel"),
    PAUSED: ("resume", "cancel"),
    **dict.fromkeys(BATCH_ENDED, ("retry", "reset", "delete")),
}


def offers(batch: BatchView, *, may_approve: bool) -> list[Offer]:
    """The buttons for who may write; none while a long action goes on."""
    if batch.doing is not None:
        return []
    names = [
        name
        for name in _BY_STATE.get(batch.status, ())
        if not (name == "approve" and not may_approve)
        and not (name == "retry" and not batch.summary.failed)
    ]
    return [offer(name, batch) for name in names]


def offer(action: str, batch: BatchView) -> Offer:
    """The button for an action (of those of the API, or `delete`)."""
    total, left = _items(batch.summary.total), batch.summary.pending
    if action == "cancel":
        return Offer(
            action,
            "Cancel batch",
            "Cancel this batch?",
            f"{left:,} of its {total} {'has' if left == 1 else 'have'} not begun and will end "
            "CANCELED. What is under way finishes.",
            "danger",
        )
    if action == "reject":
        return Offer(
            action,
            "Reject",
            "Reject this batch?",
            f"It has {total}: none of them will run, and the batch ends CANCELED.",
            "danger",
        )
    if action == "reset":
        return Offer(
            action,
            "Reset",
            "Reset this batch?",
            f"Its {total} will be removed, with their results; the batch is OPEN again, and empty.",
            "danger",
        )
    if action == "delete":
        return Offer(
            action,
            "Delete",
            "Delete this batch?",
            f"It will be removed with its {total} and their results. This cannot be undone.",
            "danger",
        )
    if action == "retry":
        return Offer(action, "Retry failed", style="primary")
    style = "primary" if action in ("start", "resume", "approve") else ""
    return Offer(action, action.capitalize(), style=style)


def _items(number: int) -> str:
    return f"{number:,} item" if number == 1 else f"{number:,} items"
