"""The chunked chord's caller: stores the items, sends a task for every hundred, waits."""

from __future__ import annotations

import io
from uuid import UUID

import psycopg2
from celery import chord
from redis import Redis

from app.core.ids import new_id
from benchmarks.chunked_tasks import app, connect, end_of, finish, process
from benchmarks.feed import OPERATION, Feed
from benchmarks.subscriptions import forget_results
from benchmarks.timing import Timing

CHUNK = 100
_BATCH = """
    INSERT INTO batches (id, client_id, operation, status, started_at)
    VALUES (%(batch)s, %(client)s, %(operation)s, 'PAUSED', clock_timestamp())
"""
_COPY = "COPY items (batch_id, index, key, input) FROM STDIN"
_PATIENCE = 120


class Chunked:
    """Sends to the worker of `benchmarks.chunked_tasks` through the broker at `redis_url`.

    One for each caller: it holds a connection to Postgres and one to Redis.
    """

    name = "chunked"

    def __init__(self, dsn: str, redis_url: str, client_id: UUID) -> None:
        connect(redis_url)
        self._connection = psycopg2.connect(dsn)
        self._redis: Redis = Redis.from_url(redis_url, socket_timeout=None)
        self._client_id = client_id

    def close(self) -> None:
        """Close the connections."""
        forget_results(app)
        self._connection.close()
        self._redis.close()

    def submit(self, feed: Feed) -> UUID:
        """Store and send the feed; the batch's id."""
        batch_id = new_id()
        self._store(batch_id, feed)
        self._send(batch_id, feed)
        return batch_id

    def wait(self, batch_id: UUID) -> None:
        """Wait until the callback has ended the batch."""
        if self._redis.blpop([end_of(str(batch_id))], timeout=_PATIENCE) is None:
            raise SystemExit("The chunked chord never ended; see chunked.log (--home keeps it)")

    def run(self, feed: Feed) -> Timing:
        """Store and send the feed, and wait for its end.

        Without HTTP, which favours it a little.
        """
        batch_id = new_id()
        _ = feed.items, feed.keys  # made before the time begins
        timing = Timing(batch_id)
        self._store(batch_id, feed)
        timing.step("copy")
        self._send(batch_id, feed)
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
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(_BATCH, values)
            cursor.copy_expert(_COPY, io.BytesIO(feed.copy_text(batch_id)))

    def _send(self, batch_id: UUID, feed: Feed) -> None:
        batch, client = str(batch_id), str(self._client_id)
        header = [
            process.s(batch, client, first, min(CHUNK, feed.count - first))
            for first in range(0, feed.count, CHUNK)
        ]
        chord(header)(finish.s(batch))
