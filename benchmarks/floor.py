"""The floor: what Postgres itself needs, on one connection, with nothing around it.

The same rows by as few statements as there can be. The text for COPY is made beforehand, nothing
is validated, and the record is the input as it came: only the writing is timed.
"""

from __future__ import annotations

import io
from uuid import UUID

import psycopg2

from app.core.ids import new_id
from benchmarks.feed import COLLECTION, OPERATION, RESULT, Feed
from benchmarks.timing import Timing

# PAUSED, as the stack that is measured on the same database would begin it otherwise.
_BATCH = """
    INSERT INTO batches (id, client_id, operation, status, started_at)
    VALUES (%(batch)s, %(client)s, %(operation)s, 'PAUSED', clock_timestamp())
"""
_COPY = "COPY items (batch_id, index, key, input) FROM STDIN"
_RECORDS = """
    INSERT INTO records (client_id, collection, key, data)
    SELECT %(client)s, %(collection)s, key, input FROM items WHERE batch_id = %(batch)s ORDER BY key
    ON CONFLICT (client_id, collection, key) DO UPDATE
    SET data = excluded.data, version = records.version + 1, updated_at = now()
"""
_ITEMS = """
    UPDATE items SET status = 'SUCCESS', attempts = 1, result = %(result)s,
                     started_at = now(), finished_at = clock_timestamp()
    WHERE batch_id = %(batch)s
"""
_COUNT = "SELECT count(*) FROM items WHERE batch_id = %(batch)s AND status = 'SUCCESS'"
_SETTLE = """
    UPDATE batches SET status = 'SUCCESS', finished_at = clock_timestamp(), total = %(count)s,
                       completed = %(count)s
    WHERE id = %(batch)s
"""


class Floor:
    """One connection to the server at `dsn`."""

    name = "floor"

    def __init__(self, dsn: str, client_id: UUID) -> None:
        self._connection = psycopg2.connect(dsn)
        self._client_id = client_id

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def submit(self, feed: Feed) -> UUID:
        """As `run`; the batch's id. It has ended then."""
        batch_id = self.run(feed).batch_id
        assert batch_id is not None
        return batch_id

    def wait(self, batch_id: UUID) -> None:
        """There is nothing to wait for."""

    def run(self, feed: Feed) -> Timing:
        """Write the feed's rows in one transaction."""
        batch_id = new_id()
        values = {
            "batch": str(batch_id),
            "client": str(self._client_id),
            "operation": OPERATION,
            "collection": COLLECTION,
            "result": RESULT,
        }
        lines = io.BytesIO(feed.copy_text(batch_id))
        timing = Timing(batch_id)
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(_BATCH, values)
            cursor.copy_expert(_COPY, lines, size=1 << 16)
            timing.step("copy")
            cursor.execute(_RECORDS, values)
            timing.step("records")
            cursor.execute(_ITEMS, values)
            timing.step("items")
            cursor.execute(_COUNT, values)
            (values["count"],) = cursor.fetchall()[0]
            cursor.execute(_SETTLE, values)
            timing.step("count")
        timing.step("commit")
        return timing
