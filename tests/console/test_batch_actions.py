"""Which buttons a batch has in each state, and what is asked before those that lose something."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.batches.batch_view import BatchView
from app.console.pages.batch.actions import offer, offers
from app.console.pages.batch.view import _pace
from app.core.lifecycle import BATCH_STATUSES
from app.db.statements.batch_pages import Action

ENDED = {"Reset", "Delete"}
STATES: dict[str, set[str]] = {
    "OPEN": {"Start", "Cancel batch"},
    "SCHEDULED": {"Start", "Cancel batch"},
    "AWAITING": {"Approve", "Reject", "Cancel batch"},
    "PENDING": {"Pause", "Cancel batch"},
    "RUNNING": {"Pause", "Cancel batch"},
    "PAUSED": {"Resume", "Cancel batch"},
    "SUCCESS": ENDED,
    "PARTIAL": ENDED,
    "FAILED": ENDED,
    "INVALID": ENDED,
    "CANCELED": ENDED,
}


def batch(status: str, *, doing: Any = None, **counts: int) -> BatchView:
    summary = {"total": 1200, "pending": 0, "failed": 0, "invalid": 0, **counts}
    return cast(
        BatchView, SimpleNamespace(status=status, doing=doing, summary=SimpleNamespace(**summary))
    )


def labels(of: BatchView, *, may_approve: bool = True) -> set[str]:
    return {each.label for each in offers(of, may_approve=may_approve)}


@pytest.mark.parametrize("status", BATCH_STATUSES)
def test_buttons_by_state(status: str) -> None:
    assert labels(batch(status)) == STATES[status]
    # What was invalid stays so; what failed is tried again.
    assert labels(batch(status, invalid=3)) == STATES[status]
    again = {"Retry failed"} if STATES[status] is ENDED else set()
    assert labels(batch(status, failed=3)) == STATES[status] | again
    # While a long action goes on there is none.
    assert labels(batch(status, failed=3, doing=object())) == set()
    assert labels(batch(status), may_approve=False) == STATES[status] - {"Approve"}


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ("cancel", "7 of its 1,200 items have not begun"),
        ("reject", "It has 1,200 items: none of them will run"),
        ("reset", "Its 1,200 items will be removed"),
        ("delete", "with its 1,200 items and their results"),
    ],
)
def test_what_loses_something_says_how_many(action: str, says: str) -> None:
    asked = offer(action, batch("PAUSED", pending=7))
    assert asked.confirmed
    assert says in asked.sentence
    assert not any(offer(each, batch("OPEN")).confirmed for each in ("start", "pause", "retry"))


def test_what_has_stood_still_has_no_pace() -> None:
    """The time since it began would count the hours of a pause, or a run before a retry."""
    began = datetime.now(UTC) - timedelta(seconds=100)
    going = batch("RUNNING", processed=500, running=0, pending=500)
    cast(Any, going).started_at, cast(Any, going).finished_at = began, None
    pace = _pace(going, [])
    assert pace["rate"] == pytest.approx(5, rel=0.1)
    assert pace["left"] == pytest.approx(100, rel=0.1)
    for action in ("batch.pause", "batch.resume", "batch.retry", "items.retry"):
        entry = cast(Action, SimpleNamespace(action=action))
        assert _pace(going, [entry]) == {"rate": None, "left": None}
