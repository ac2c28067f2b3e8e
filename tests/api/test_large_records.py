"""A page of records is bounded by its bytes, and nothing is made of what they hold."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.db.records import RecordStore
from tests.api.conftest import Caller

COUNT = 120
# As large as an item may be, and forty times that once it is parsed.
LARGE = json.dumps({"numbers": [[] for _ in range(60_000)]})
MOST_HELD = 40 * 1024 * 1024


@pytest.fixture(autouse=True)
def large_records(engine: Engine, client: ClientSecret) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                """INSERT INTO records (client_id, collection, key, data)
                SELECT :client, 'product', lpad(n::text, 4, '0'), CAST(:data AS jsonb)
                FROM generate_series(1, :count) n"""
            ),
            {"client": client.client_id, "data": LARGE, "count": COUNT},
        )


def test_a_page_ends_early_and_goes_on(api: Caller) -> None:
    keys: list[str] = []
    query = "limit=1000"
    pages = 0
    while query:
        answer = api.get(f"/v1/records/product?{query}")
        page = answer.json
        assert len(answer.data) < 6 * 1024 * 1024
        keys += [record["key"] for record in page["data"]]
        query = f"limit=1000&cursor={page['next']}" if page["next"] else ""
        pages += 1
    assert keys == [f"{number:04}" for number in range(1, COUNT + 1)]
    assert pages > 4


def test_little_is_held_of_it(api: Caller) -> None:
    api.get("/v1/records/product?limit=1")
    tracemalloc.start()
    try:
        answer = api.get("/v1/records/product?limit=1000")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code == 200
    assert peak < MOST_HELD, f"{peak:,} bytes"


def test_nothing_is_held_of_what_is_written_or_removed(
    engine: Engine, client: ClientSecret
) -> None:
    """By items that are small: a worker's slice has thousands of them."""
    keys = [f"{number:04}" for number in range(1, COUNT + 1)]
    with engine.begin() as connection:
        store = RecordStore(connection, client.client_id)
        tracemalloc.start()
        try:
            assert store.update("product", [(key, {}) for key in keys[:60]]) == [True] * 60
            assert store.delete("product", [*keys, "none"]) == [True] * COUNT + [False]
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 2**20, f"{peak:,} bytes"


def test_what_is_shown_is_what_was_stored(api: Caller) -> None:
    assert api.get("/v1/records/product/0001").json["data"] == json.loads(LARGE)
    small = api.get("/v1/records/product?limit=2").json
    assert [record["data"] for record in small["data"]] == [json.loads(LARGE)] * 2
    assert small["next"] is not None
