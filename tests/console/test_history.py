"""How many items ended in each minute: written with the counts, made whole, forgotten."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, text

from app.batches.ended_items import Ended, condense, ended_lately
from app.clients.credentials import ClientSecret
from tests.support.stack import Stack


def note(
    connection: Connection, client_id: UUID, minutes_ago: int, completed: int, failed: int
) -> None:
    """All that is noted in one transaction is of the same moment."""
    connection.execute(
        text(
            "INSERT INTO item_history (minute, client_id, operation, completed, failed, "
            "invalid) VALUES (date_trunc('minute', now()) - make_interval(mins => :ago), "
            ":client_id, 'x', :completed, :failed, 1)"
        ),
        {
            "ago": minutes_ago,
            "client_id": client_id,
            "completed": completed,
            "failed": failed,
        },
    )


def rows(engine: Engine, client_id: UUID) -> list[tuple[int, bool]]:
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT completed, whole FROM item_history WHERE client_id = :id ORDER BY id"),
            {"id": client_id},
        )
        return [(row.completed, row.whole) for row in found]


def test_rows_of_a_minute_that_is_over_become_one(engine: Engine) -> None:
    client_id = uuid4()
    with engine.begin() as connection:
        for completed in (3, 4):
            note(connection, client_id, 10, completed, 2)
            # Not over, though the next one may begin meanwhile.
            note(connection, client_id, -2, completed, 0)
        note(connection, client_id, 31 * 24 * 60, 5, 0)
    with engine.begin() as connection:
        condense(connection)
    with engine.begin() as connection:
        condense(connection)
    assert sorted(rows(engine, client_id)) == [(3, False), (4, False), (7, True)]


def test_stretches_of_time(engine: Engine) -> None:
    client_id = uuid4()
    # Far enough from both ends that a minute which passes meanwhile changes no sum.
    with engine.begin() as connection:
        note(connection, client_id, 20, 3, 2)
        note(connection, client_id, 21, 4, 0)
        note(connection, uuid4(), 20, 100, 0)
    with engine.connect() as connection:
        hour = ended_lately(connection, client_id, minutes=60, step=1)
        day = ended_lately(connection, client_id, minutes=24 * 60, step=15)
    assert (len(hour), len(day)) == (60, 96)
    assert [each for each in hour if each.total] == [Ended(4, 1), Ended(3, 3)]
    assert sum(each.total for each in day) == 11


def test_what_workers_end_stands_there(stack: Stack, engine: Engine, client: ClientSecret) -> None:
    """Of a batch that is one slice, and of one that has waves."""
    item = {"asin": "A1", "countryCode": "US", "percACoS": 1}
    with stack.http(client) as http:
        for items in ([item, {}], [{**item, "asin": f"A{n}"} for n in range(3000)]):
            body = {"operation": "catalog.masterlist", "items": items}
            made = http.post("/v1/batches", json=body).raise_for_status().json()
            stack.finished(http, made["id"])
    with engine.connect() as connection:
        found = ended_lately(connection, client.client_id, minutes=60, step=1)
    total = (sum(each.completed for each in found), sum(each.failed for each in found))
    assert total == (3001, 1)
