"""Why items failed, on the first page: the causes of the latest batches, and no others."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret, create_client
from app.console.pages.overview.figures import CAUSES, CAUSES_OF, Board
from app.core.ids import new_id
from app.db.statements.overview import CauseRow
from tests.console.conftest import Person

_BATCH = text(
    """INSERT INTO batches (id, client_id, operation, status, total, failed, dry_run, started_at,
                            finished_at)
       VALUES (:id, :client, 'demo.sleep', :status, :count, :count, :dry_run, now(),
               CASE WHEN :status <> 'RUNNING' THEN now() END)"""
)
_FAILURE = text(
    """INSERT INTO failures (batch_id, failure, number, operation, status, code, message)
       VALUES (:id, :failure, :number, 'demo.sleep', 'FAILED', 409, :message)"""
)
_COUNT = text(
    """INSERT INTO failure_counts (batch_id, failure, status, spread, count)
       VALUES (:id, :failure, 'FAILED', :spread, :count)"""
)


def failed(
    engine: Engine,
    client_id: UUID,
    causes: dict[str, int],
    status: str = "FAILED",
    *,
    dry_run: bool = False,
) -> UUID:
    """A batch in which so many items failed by each of the causes; each counted in two parts."""
    batch_id = new_id()
    this: dict[str, Any] = {
        "id": batch_id,
        "client": client_id,
        "status": status,
        "dry_run": dry_run,
    }
    with engine.begin() as connection:
        connection.execute(_BATCH, {**this, "count": sum(causes.values())})
        for number, (failure, count) in enumerate(causes.items()):
            of = {"id": batch_id, "failure": failure}
            message = {"number": number, "message": f"It is <b>{failure}</b>"}
            connection.execute(_FAILURE, {**of, **message})
            # What was run again is taken off in a part of its own.
            for spread, part in ((0, count + 2), (-1, -2)):
                connection.execute(_COUNT, {**of, "spread": spread, "count": part})
    return batch_id


def causes_of(engine: Engine, client_id: UUID | None) -> list[CauseRow]:
    return Board(engine, stale=60, patience=30).figures(client_id).causes


def test_the_most_frequent_first_over_batches(engine: Engine, client: ClientSecret) -> None:
    failed(engine, client.client_id, {"a": 3, "b": 4})
    running = failed(engine, client.client_id, {"a": 5, "gone": 0}, "RUNNING")
    partial = failed(engine, client.client_id, {"b": 1, "c": 1}, "PARTIAL")
    failed(engine, client.client_id, {}, "CANCELED")
    canceled = failed(engine, client.client_id, {"c": 1}, "CANCELED")
    failed(engine, client.client_id, {"tried out": 90}, dry_run=True)
    failed(engine, client.client_id, {"tried out": 90}, "RUNNING", dry_run=True)
    failed(engine, create_client(engine, f"other {uuid4()}").client_id, {"theirs": 900})
    found = causes_of(engine, client.client_id)
    assert [(one.failure, one.count, one.batches, one.batch_id) for one in found] == [
        ("a", 8, 2, running),
        ("b", 5, 2, partial),
        ("c", 2, 2, canceled),
    ]
    assert (found[0].operation, found[0].code) == ("demo.sleep", 409)
    # For all clients together the latest are everybody's.
    assert "theirs" in {one.failure for one in causes_of(engine, None)}


def test_no_more_than_a_page_has_room_for(engine: Engine, client: ClientSecret) -> None:
    failed(engine, client.client_id, {"old": 1000})
    for _ in range(CAUSES_OF):
        failed(engine, client.client_id, {f"f{n}": n + 1 for n in range(CAUSES + 2)})
    found = causes_of(engine, client.client_id)
    assert [one.failure for one in found] == [f"f{n}" for n in range(CAUSES + 1, 1, -1)]
    assert {one.batches for one in found} == {CAUSES_OF}


def test_they_lead_to_their_items(
    app: Flask, engine: Engine, person: Person, client: ClientSecret
) -> None:
    assert "Nothing failed" in person.get("/console").text
    batch_id = failed(engine, client.client_id, {"a": 3})
    app.extensions.pop("batchline.console.board")  # which keeps them for a while
    page = person.get("/console").text
    assert f'href="/console/batches/{batch_id}/items?failure=a"' in page
    assert "It is &lt;b&gt;a&lt;/b&gt;" in page
