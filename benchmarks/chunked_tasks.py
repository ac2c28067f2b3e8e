"""The chord of chunks, as one who knows Celery would write it: bulk SQL for a hundred items a task.

`celery -A benchmarks.chunked_tasks worker`. Messages name their items and do not carry them; each
task is one transaction; what a killed worker had begun is given out again.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import msgspec
from celery import Celery
from redis import Redis
from sqlalchemy import Engine, create_engine, text

from app.core.jsontext import dumps
from app.core.settings import load_settings
from handlers.load import load_handlers

OPERATION = next(one for one in load_handlers() if one.name == "catalog.masterlist")

app = Celery("chunked")
app.conf.update(
    task_default_queue="chunked",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    # Tasks are of a few milliseconds: fetching them one by one would cost more than it evens out.
    worker_prefetch_multiplier=4,
    broker_transport_options={"visibility_timeout": 600},
    result_expires=3600,
)


def connect(redis_url: str) -> None:
    """Take `redis_url` as broker and result backend."""
    app.conf.update(broker_url=redis_url, result_backend=redis_url)


connect(os.environ.get("CHUNKED_REDIS_URL", "redis://localhost"))

_ITEMS = text(
    """
    SELECT index, input::text FROM items
    WHERE batch_id = :batch AND index >= :first AND index < :first + :count ORDER BY index
    """
)
_UPSERT = text(
    """
    INSERT INTO records (client_id, collection, key, data)
    SELECT :client, :collection, key, data::json
    FROM unnest(CAST(:keys AS text[]), CAST(:data AS text[])) AS given (key, data) ORDER BY key
    ON CONFLICT (client_id, collection, key) DO UPDATE
    SET data = excluded.data, version = records.version + 1, updated_at = now()
    RETURNING key, version = 1
    """
)
_DONE = text(
    """
    UPDATE items SET status = 'SUCCESS', attempts = 1, result = given.result::json,
                     started_at = now(), finished_at = clock_timestamp()
    FROM unnest(CAST(:indexes AS integer[]), CAST(:results AS text[])) AS given (index, result)
    WHERE items.batch_id = :batch AND items.index = given.index
      AND items.index >= :first AND items.index < :first + :count
    """
)
_END = text(
    """
    UPDATE batches SET status = 'SUCCESS', finished_at = clock_timestamp(), completed = :count,
                       total = :count
    WHERE id = :batch
    """
)


@cache
def engine() -> Engine:
    """This process's engine."""
    return create_engine(load_settings().database_url or "")


@cache
def redis() -> Redis:
    """This process's connection to Redis, for those who wait for a batch's end."""
    client: Redis = Redis.from_url(app.conf.broker_url)
    return client


def end_of(batch_id: str) -> str:
    """The Redis list that gets an entry when the batch has ended."""
    return f"ended:{batch_id}"


@app.task(name="chunked.chunk")
def process(batch_id: str, client_id: str, first: int, count: int) -> int:
    """Validate `count` items from index `first` on, store their records, note their outcomes."""
    where = {"batch": batch_id, "first": first, "count": count}
    with engine().begin() as connection:
        rows = connection.execute(_ITEMS, where).all()
        loaded = [OPERATION.load(msgspec.json.decode(row.input)) for row in rows]
        keys = [OPERATION.key_of(data) for data in loaded]
        stored = connection.execute(
            _UPSERT,
            {
                "client": client_id,
                "collection": OPERATION.collection,
                "keys": keys,
                "data": [dumps(data) for data in loaded],
            },
        )
        new: dict[str | None, bool] = dict(stored.tuples().all())
        results = [dumps({"process": "INSERT" if new[key] else "UPDATE"}) for key in keys]
        indexes = [row.index for row in rows]
        connection.execute(_DONE, where | {"indexes": indexes, "results": results})
    return len(rows)


@app.task(name="chunked.finish", ignore_result=True)
def finish(counts: Any, batch_id: str) -> None:
    """The chord's callback: end the batch, and tell whoever waits.

    `counts`: a number a chunk; Celery makes a chain of a chord with one, and then it is a number.
    """
    count = counts if isinstance(counts, int) else sum(counts)
    with engine().begin() as connection:
        connection.execute(_END, {"batch": batch_id, "count": count})
    with redis().pipeline(transaction=False) as pipeline:
        pipeline.rpush(end_of(batch_id), 1)
        pipeline.expire(end_of(batch_id), 60)
        pipeline.execute()
