"""The naive chord's caller: stores the items, sends a message for each, waits for the end."""

from __future__ import annotations

import io
import time
from uuid import UUID

import msgspec
import psycopg2
from celery import chord

from app.core.ids import new_id
from benchmarks.feed import OPERATION, Feed
from benchmarks.naive_tasks import connect, finish, process
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
        self._connection.close()

    def run(self, feed: Feed) -> Timing:
        """Store and send the feed, and wait until the callback has ended the batch.

        Without HTTP, and with the items parsed beforehand, which favours it a little.
        """
        batch_id = new_id()
        values = {
            "batch": str(batch_id),
            "client": str(self._client_id),
            "operation": OPERATION,
        }
        lines = io.BytesIO(feed.copy_text(batch_id))
        items = [msgspec.json.decode(item) for item in feed.items]
        deadline = time.monotonic() + _PATIENCE
        timing = Timing(batch_id)
        with self._connection.cursor() as cursor:
            cursor.execute(_BATCH, values)
            cursor.copy_expert(_COPY, lines)
            timing.step("copy")
            chord(
                process.s(str(batch_id), str(self._client_id), index, item)
                for index, item in enumerate(items)
            )(finish.s(str(batch_id)))
            timing.step("sent")
            while True:
                cursor.execute(_ENDED, values)
                if cursor.fetchall() == [(True,)]:
                    break
                if time.monotonic() > deadline:
                    raise SystemExit("The naive chord never ended; see naive.log (--home keeps it)")
                time.sleep(_LOOK_EVERY)
        timing.step("processed")
        return timing
