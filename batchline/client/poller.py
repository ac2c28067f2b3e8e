"""Batches kept up to date while they are shown: by their events, or else by polling."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any

from batchline.client.api import Api, has_ended
from batchline.client.errors import ApiError
from batchline.client.events import FINISHED, follow

POLL_SECONDS = 0.25
# Seconds. Events carry the counts of items, but not whether the batch was paused.
_ASK_EVERY = 5.0
_MOST_STREAMS = 20


class BatchPoller:
    """The latest state of some batches, by id in `latest`. A context manager."""

    def __init__(self, api: Api, batches: Iterable[dict[str, Any]]) -> None:
        self._api = api
        self.latest = {batch["id"]: batch for batch in batches}
        self._streamed: set[str] = set()
        self._arrived: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._asked_at = time.monotonic()

    def __enter__(self) -> BatchPoller:
        for batch_id in self.running()[:_MOST_STREAMS]:
            self._streamed.add(batch_id)
            threading.Thread(target=self._follow, args=(batch_id,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True

    def running(self) -> list[str]:
        """The ids of those that have not ended."""
        return [key for key, batch in self.latest.items() if not has_ended(batch)]

    def look(self) -> None:
        """Wait a moment, and bring `latest` up to date. Raises ApiError."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._arrived), POLL_SECONDS)
            arrived, self._arrived = self._arrived, {}
            streamed = set(self._streamed)
        self.latest.update(arrived)
        now = time.monotonic()
        everything = now - self._asked_at > _ASK_EVERY
        if everything:
            self._asked_at = now
        for batch_id in self.running():
            if everything or batch_id not in streamed:
                self.latest[batch_id] = self._api.batch(batch_id)

    def _follow(self, batch_id: str) -> None:
        try:
            for event in follow(self._api, batch_id):
                if self._closed:
                    return
                known = self.latest[batch_id]
                batch = event.data if event.name == FINISHED else _with(known, event.data)
                with self._changed:
                    self._arrived[batch_id] = batch
                    self._changed.notify()
        except ApiError:
            pass  # polled from now on, which raises what is wrong, if anything is
        except Exception:
            # Whoever looked has gone (Ctrl-C), and the client may have been closed under it.
            if not self._closed:
                raise
        finally:
            with self._changed:
                self._streamed.discard(batch_id)


def _with(batch: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any]:
    begun = summary["running"] + summary["processed"] > 0
    waiting = batch["status"] in ("PENDING", "SCHEDULED", "AWAITING", "OPEN")
    status = "RUNNING" if begun and waiting else batch["status"]
    return {**batch, "summary": summary, "status": status}
