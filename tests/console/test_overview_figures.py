"""The overview's figures: looked up once for all who look at once, and apart for others."""

from __future__ import annotations

import threading
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Engine, text

from app.batches.ended_items import Ended
from app.clients.credentials import ClientSecret
from app.console.pages.overview import figures
from app.console.pages.overview.figures import Board
from app.core.ids import new_id
from app.db.statements.overview import find_oldest_waiting


def test_a_clients_long_look_holds_up_nobody_elses(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(engine, stale=60, patience=30)
    slow, reached, go_on, looks = uuid4(), threading.Event(), threading.Event(), []

    def ended_lately(
        connection: Connection, client_id: UUID | None, *, minutes: int, step: int
    ) -> list[Ended]:
        looks.append(client_id)
        if client_id == slow:
            reached.set()
            assert go_on.wait(60)
        return [Ended()] * (minutes // step)

    monkeypatch.setattr(figures, "ended_lately", ended_lately)
    waiting = [threading.Thread(target=board.figures, args=(slow,)) for _ in range(3)]
    for thread in waiting:
        thread.start()
    try:
        assert reached.wait(60)
        assert board.figures(uuid4()).unfinished == {}
    finally:
        go_on.set()
        for thread in waiting:
            thread.join()
    # The hour and the day, once for the three.
    assert looks.count(slow) == 2


def test_the_oldest_that_waits_is_found_without_a_look_at_the_others(
    engine: Engine, client: ClientSecret
) -> None:
    """A thousand wait: of one that has waited less than the first, no slice is looked at."""
    given = {"client_id": client.client_id}
    first = new_id()
    with engine.connect() as connection:
        # Begun whole, and so passed over.
        for age, number in ((3, "ARRAY[0, 4]"), (2, "ARRAY[0, 3]")):
            batch = new_id() if age == 3 else first
            connection.execute(
                text(
                    f"""WITH made AS (
                        INSERT INTO batches (id, client_id, status, total, created_at)
                        VALUES (:id, :client_id, 'RUNNING', 5, now() - interval '{age} hours')
                        RETURNING id)
                    INSERT INTO slices (batch_id, wave, number, queue, phase, first_index,
                                        last_index, size, state, claim)
                    SELECT id, 1, 1, 'fast', 'run', ({number})[1], ({number})[2],
                           ({number})[2] + 1, 'CLAIMED', gen_random_uuid() FROM made"""
                ),
                {"id": batch, **given},
            )
        connection.execute(
            text(
                """INSERT INTO batches (id, client_id, status, total)
                SELECT gen_random_uuid(), :client_id, 'PENDING', 1
                FROM generate_series(1, 1000)"""
            ),
            given,
        )
        statement = find_oldest_waiting(of_client=True)
        assert connection.execute(statement, given).one().id == first
        plan = connection.execute(
            text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}"), given
        ).scalar_one()
        connection.rollback()
    looked = [node for node in _nodes(plan[0]["Plan"]) if node.get("Relation Name") == "slices"]
    assert looked
    assert sum(node["Actual Loops"] for node in looked) == 2


def _nodes(node: dict) -> list[dict]:  # type: ignore[type-arg]
    return [node, *(each for inner in node.get("Plans", ()) for each in _nodes(inner))]
