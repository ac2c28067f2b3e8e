"""Batchline, as a caller sees it: from sending the request to reading the final summary."""

from __future__ import annotations

from uuid import UUID

import httpx

from benchmarks.feed import Feed
from benchmarks.timing import Timing

_WAIT = 60


class Batchline:
    """A client of the stack's API."""

    name = "batchline"

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def close(self) -> None:
        """Nothing to close: the connection is the stack's."""

    def run(self, feed: Feed) -> Timing:
        """Submit the feed as one JSON request and wait until the batch has ended."""
        body = feed.body
        timing = Timing()
        answer = self._http.post(
            "/v1/batches", content=body, headers={"Content-Type": "application/json"}
        )
        timing.step("accepted")
        assert answer.status_code == 202, answer.text
        batch = answer.json()
        while batch["finishedAt"] is None:
            batch = self._http.get(f"/v1/batches/{batch['id']}", params={"wait": _WAIT}).json()
        timing.step("processed")
        timing.batch_id = UUID(batch["id"])
        assert batch["summary"]["completed"] == feed.count, batch
        return timing
