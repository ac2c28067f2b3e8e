"""The naive chord's caller: stores the items, sends a message for each, waits for the end."""

from __future__ import annotations

import io
import time
from typing import Any
from uuid import UUID

import msgspec
import psycopg2
from celery import chord

from app.core.ids import new_id
from benchmarks.feed import OPERATION, Feed
from benchmarks.naive_tasks import app, connect, finish, process
from benchmarks.subscriptions import forget_results
from benchmarks.timing import Timing

_BATCH = """
    INSERT INTO batches (id, client_id, operation, status, started_at)
    VALUES (%(batch)s, %(client)s, %(operation)s, 'PAUSED', clock_timestamp())
"""
_COPY = "COPY items (batch_id, index, key, input) FROM STDIN"
_ENDED = "SELECT finished_at IS NOT NULL FROM batches WHERE id = %(batch)s"
_LOOK_EVERY = 0.02
_PATIENCE = 300.0


class Naive:
    """Sends to the worker of `benchmarks.naive_tasks` through the broker at `redis_url`."""

    name = "naive"

    def __init__(self, dsn: str, redis_url: str, client_id: UUID) -> None:
        connect(redis_url)
        self._connection = psycopg2.connect(dsn)
        self._connection.autocommit = True
        self._client_id = client_id

    def close(self) -> None:
        """Close the connection."""
        forget_results(app)
        self._connection.close()

    def submit(self, feed: Feed) -> UUID:
        """Store and send the feed; the batch's id."""
        batch_id = new_id()
        self._store(batch_id, feed)
        self._send(batch_id, [msgspec.json.decode(item) for item in feed.items])
        return batch_id

    def wait(self, batch_id: UUID) -> None:
        """Wait until the callback has ended the batch."""
        deadline = time.monotonic() + _PATIENCE
        with self._connection.cursor() as cursor:
            while True:
                cursor.execute(_ENDED, {"batch": str(batch_id)})
                if cursor.fetchall() == [(True,)]:
                    return
                if time.monotonic() > deadline:
                    raise SystemExit("The naive chord never ended; see naive.log (--home keeps it)")
                time.sleep(_LOOK_EVERY)

    def run(self, feed: Feed) -> Timing:
        """Store and send the feed, and wait until the callback has ended the batch.

        Without HTTP, and with the items parsed beforehand, which favours it a little.
        """
        batch_id = new_id()
        items = [msgspec.json.decode(item) for item in feed.items]
        timing = Timing(batch_id)
        self._store(batch_id, feed)
        timing.step("copy")
        self._send(batch_id, items)
        timing.step("sent")
        self.wait(batch_id)
        timing.step("processed")
        return timing

    def _store(self, batch_id: UUID, feed: Feed) -> None:
        values = {
            "batch": str(batch_id),
            "client": str(self._client_id),
            "operation": OPERATION,
        }
        with self._connection.cursor() as cursor:
            cursor.execute(_BATCH, values)
            cursor.copy_expert(_COPY, io.BytesIO(feed.copy_text(batch_id)))

    def _send(self, batch_id: UUID, items: list[Any]) -> None:
        chord(
            [
                process.s(str(batch_id), str(self._client_id), index, item)
                for index, item in enumerate(items)
            ]
        )(finish.s(str(batch_id)))
