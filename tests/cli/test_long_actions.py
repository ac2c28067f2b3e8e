"""What the command line makes of a long action that goes on behind its answer."""

from __future__ import annotations

from typing import Any

from app.terminal.progress import summary_line
from batchline.client.api import Api
from batchline.client.poller import BatchPoller

COUNTS = dict.fromkeys(("running", "invalid", "canceled", "pending"), 0)
BATCH: dict[str, Any] = {
    "id": "b-1",
    "name": "prices",
    "status": "PARTIAL",
    "finishedAt": "2026-11-21T09:41:00.123Z",
    "stopReason": None,
    "summary": {"total": 5_000_000, "processed": 5_000_000, "completed": 1, "failed": 4_999_999}
    | COUNTS,
    "doing": {"action": "retry", "done": 120_000, "total": 4_999_999},
}


def test_a_batch_that_is_being_retried_is_watched_on() -> None:
    ended = BATCH | {"id": "b-2", "doing": None}
    with Api("http://localhost:1") as api:
        poller = BatchPoller(api, [BATCH, ended])
        assert poller.running() == ["b-1"]


def test_it_is_told_how_far_it_is() -> None:
    assert summary_line(BATCH).plain.endswith("of 5,000,000 (retry: 120,000 of 4,999,999)")
    assert summary_line(BATCH | {"doing": None}).plain.endswith("of 5,000,000")
