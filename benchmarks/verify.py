"""Checks after every run, outside of its time, that all contenders leave the same rows."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Engine, text

from benchmarks.feed import COLLECTION, OPERATION, RESULT, Feed

_BATCH = text(
    """
    SELECT status, operation, total, completed, failed + invalid + canceled AS others,
           finished_at >= started_at AS in_order
    FROM batches WHERE id = :batch
    """
)
_ITEMS = text(
    """
    SELECT count(*) AS number,
           count(*) FILTER (
               WHERE status = 'SUCCESS' AND attempts = 1 AND crashes = 0 AND result::text = :result
                 AND code IS NULL AND message IS NULL AND operation IS NULL AND lane IS NULL
                 AND due_at IS NULL AND NOT deferred
                 AND started_at IS NOT NULL AND finished_at >= started_at) AS as_they_should_be,
           md5(string_agg(index || ' ' || key || ' ' || input::text, E'\\n' ORDER BY index))
    FROM items WHERE batch_id = :batch
    """
)
_AT_FAULT = text(
    """
    SELECT * FROM items
    WHERE batch_id = :batch AND (status <> 'SUCCESS' OR attempts <> 1 OR crashes <> 0
          OR result::text IS DISTINCT FROM :result OR finished_at < started_at)
    ORDER BY index LIMIT 3
    """
)
# One index lookup a row: statistics of tables that have just grown mislead the planner.
_RECORDS = text(
    """
    SELECT count(*) FILTER (WHERE (
        SELECT r.version = 1 AND r.data::text = i.input::text FROM records r
        WHERE r.client_id = :client AND r.collection = :collection AND r.key = i.key))
    FROM items i WHERE i.batch_id = :batch
    """
)
_LEFT_OVER = text("SELECT count(*) FROM slices WHERE batch_id = :batch")


def verify(engine: Engine, batch_id: UUID, client_id: UUID, feed: Feed) -> None:
    """Raise AssertionError where a row of the batch, its items or its records is not as asked."""
    with engine.connect() as connection:
        batch = connection.execute(_BATCH, {"batch": batch_id}).one()
        assert batch == ("SUCCESS", OPERATION, feed.count, feed.count, 0, True), batch
        items = connection.execute(_ITEMS, {"batch": batch_id, "result": RESULT}).one()
        if items != (feed.count, feed.count, feed.digest):
            found = connection.execute(_AT_FAULT, {"batch": batch_id, "result": RESULT}).all()
            raise AssertionError(f"{items} of batch {batch_id}; the first at fault: {found}")
        records = connection.execute(
            _RECORDS, {"batch": batch_id, "client": client_id, "collection": COLLECTION}
        ).scalar_one()
        assert records == feed.count, f"{records} records of {feed.count}"
        assert not connection.execute(_LEFT_OVER, {"batch": batch_id}).scalar_one()
