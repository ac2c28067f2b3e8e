"""The naive chord, as one would write it first: a message an item, its own commits, a callback.

`celery -A benchmarks.naive_tasks worker`. Settings are Celery's defaults.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from celery import Celery
from sqlalchemy import Engine, create_engine, text

from app.core.jsontext import dumps
from app.core.settings import load_settings
from handlers.load import load_handlers

OPERATION = next(one for one in load_handlers() if one.name == "catalog.masterlist")

app = Celery("naive")
app.conf.task_default_queue = "naive"


def connect(redis_url: str) -> None:
    """Take `redis_url` as broker and result backend."""
    app.conf.update(broker_url=redis_url, result_backend=redis_url)


connect(os.environ.get("NAIVE_REDIS_URL", "redis://localhost"))

_UPSERT = text(
    """
    INSERT INTO records (client_id, collection, key, data)
    VALUES (:client, :collection, :key, CAST(:data AS json))
    ON CONFLICT (client_id, collection, key) DO UPDATE
    SET data = excluded.data, version = records.version + 1, updated_at = now()
    RETURNING version = 1
    """
)
_DONE = text(
    """
    UPDATE items SET status = 'SUCCESS', attempts = 1, result = CAST(:result AS json),
                     started_at = now(), finished_at = clock_timestamp()
    WHERE batch_id = :batch AND index = :index
    """
)
_COUNT = text(
    """
    UPDATE batches SET status = 'SUCCESS', finished_at = clock_timestamp(), completed = counted,
                       total = counted
    FROM (SELECT count(*) AS counted FROM items WHERE batch_id = :batch AND status = 'SUCCESS') c
    WHERE id = :batch
    """
)


@cache
def engine() -> Engine:
    """This process's engine."""
    return create_engine(load_settings().database_url or "")


@app.task(name="naive.item")
def process(batch_id: str, client_id: str, index: int, item: dict[str, Any]) -> str:
    """Validate one item, store its record, note its outcome."""
    data = OPERATION.load(item)
    with engine().begin() as connection:
        new = connection.execute(
            _UPSERT,
            {
                "client": client_id,
                "collection": OPERATION.collection,
                "key": OPERATION.key_of(data),
                "data": dumps(data),
            },
        ).scalar_one()
    result = dumps({"process": "INSERT" if new else "UPDATE"})
    with engine().begin() as connection:
        connection.execute(_DONE, {"batch": batch_id, "index": index, "result": result})
    return "SUCCESS"


@app.task(name="naive.finish")
def finish(statuses: list[str], batch_id: str) -> None:  # noqa: ARG001 (the chord hands them over)
    """The chord's callback: count the items and end the batch."""
    with engine().begin() as connection:
        connection.execute(_COUNT, {"batch": batch_id})
