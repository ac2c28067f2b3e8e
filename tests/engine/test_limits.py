"""Limits of an operation, with real worker processes: time, concurrency, rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, Row, text

from app.batches.submission import Submission, accept
from app.clients.credentials import ClientSecret, create_client
from app.core.jsontext import dumps
from app.core.settings import Settings
from app.formats.raw_item import RawItem
from app.messaging.dispatch import Dispatcher
from handlers import Registry
from tests.support.application import close_dispatcher
from tests.support.stack import Stack, wait_for

pytestmark = pytest.mark.stack
KILLED = "and could not be interrupted; its process was ended"


class Batches:
    """Submits batches of one client past the API, and waits for their end."""

    def __init__(self, settings: Settings, engine: Engine, registry: Registry) -> None:
        self._engine = engine
        self._registry = registry
        self._dispatcher = Dispatcher(settings)

    def submit(self, client: ClientSecret, operation: str, items: list[dict[str, Any]]) -> UUID:
        accepted = accept(
            self._engine,
            self._registry,
            Submission(client.client_id, operation),
            [RawItem(dumps(item)) for item in items],
        )
        self._dispatcher.advance(accepted.batch_id)
        return accepted.batch_id

    def items(self, batch_id: UUID) -> list[Any]:
        with self._engine.connect() as connection:
            return list(
                connection.execute(
                    text("SELECT * FROM items WHERE batch_id = :id ORDER BY index"),
                    {"id": batch_id},
                )
            )

    def ended(self, batch_id: UUID, *, within: float = 40) -> list[Any]:
        """The items of the batch once it has ended."""
        wait_for(
            lambda: self._finished(batch_id),
            within=within,
            what=lambda: f"the end of {[tuple(item) for item in self.items(batch_id)]}",
        )
        return self.items(batch_id)

    def _finished(self, batch_id: UUID) -> bool:
        with self._engine.connect() as connection:
            return bool(
                connection.execute(
                    text("SELECT finished_at FROM batches WHERE id = :id"), {"id": batch_id}
                ).scalar()
            )


@pytest.fixture
def batches(
    stack: Stack, settings: Settings, engine: Engine, registry: Registry
) -> Iterator[Batches]:
    batches = Batches(settings, engine, registry)
    yield batches
    close_dispatcher(batches._dispatcher)


@pytest.mark.parametrize("do", ["sleep", "spin", "except"])
@pytest.mark.parametrize("operation", ["limits.outside", "limits.inside", "limits.bulk"])
def test_a_handler_that_hangs_is_interrupted(
    batches: Batches, client: ClientSecret, operation: str, do: str
) -> None:
    items = batches.ended(
        batches.submit(client, operation, [{}, {"do": do}, {}, {}, {"do": "sleep"}])
    )
    assert [item.status for item in items] == ["SUCCESS", "FAILED", "SUCCESS", "SUCCESS", "FAILED"]
    for item in (items[1], items[4]):
        assert (item.code, item.attempts) == (504, 1)
        assert item.message == "Exceeded the operation's time limit of 1 s"
    assert [items[place].attempts for place in (0, 2, 3)] == [1, 1, 1]


def test_a_statement_that_hangs_is_interrupted(batches: Batches, client: ClientSecret) -> None:
    items = batches.ended(batches.submit(client, "limits.inside", [{}, {"do": "sql"}, {}]))
    assert [item.status for item in items] == ["SUCCESS", "FAILED", "SUCCESS"]
    assert items[1].message == "Exceeded the operation's time limit of 1 s"


@pytest.mark.parametrize("operation", ["limits.outside", "limits.inside"])
def test_one_that_cannot_be_interrupted_is_ended_with_its_process(
    batches: Batches, client: ClientSecret, operation: str
) -> None:
    items = batches.ended(batches.submit(client, operation, [{}, {"do": "swallow"}, {}, {}]))
    assert [item.status for item in items] == ["SUCCESS", "FAILED", "SUCCESS", "SUCCESS"]
    assert (items[1].code, items[1].message) == (
        504,
        f"Exceeded the operation's time limit of 1 s {KILLED}",
    )
    assert [item.crashes for item in items] == [0] * 4
    assert items[1].attempts == 1


def test_of_several_in_one_call_it_is_found_out_which(
    batches: Batches, client: ClientSecret
) -> None:
    items = batches.ended(batches.submit(client, "limits.bulk", [{}, {"do": "swallow"}, {}, {}]))
    assert [item.status for item in items] == ["SUCCESS", "FAILED", "SUCCESS", "SUCCESS"]
    assert items[1].message == f"Exceeded the operation's time limit of 1 s {KILLED}"


@pytest.mark.whole
def test_one_that_holds_on_to_the_interpreter_is_ended_from_outside(
    batches: Batches, client: ClientSecret
) -> None:
    items = batches.ended(
        batches.submit(client, "limits.outside", [{}, {"do": "native"}, {}, {}]), within=90
    )
    assert [item.status for item in items] == ["SUCCESS", "FAILED", "SUCCESS", "SUCCESS"]
    assert "worker process" in items[1].message


def test_a_time_out_is_tried_again(batches: Batches, client: ClientSecret) -> None:
    items = batches.ended(batches.submit(client, "limits.twice", [{}, {}]))
    assert [(item.status, item.attempts) for item in items] == [("SUCCESS", 2)] * 2


@pytest.mark.parametrize("operation", ["limits.slow", "limits.slow-inside"])
@pytest.mark.parametrize("do", ["sleep", "swallow"])
def test_a_thread_that_hangs_is_abandoned(
    batches: Batches, client: ClientSecret, operation: str, do: str
) -> None:
    items = batches.ended(batches.submit(client, operation, [{}, {"do": do}, {}, {}]))
    assert [item.status for item in items] == ["SUCCESS", "FAILED", "SUCCESS", "SUCCESS"]
    assert (items[1].code, items[1].attempts) == (504, 1)
    assert "Exceeded the operation's time limit of 1 s" in items[1].message


def test_concurrency_holds_over_all_workers(
    batches: Batches, stack: Stack, engine: Engine, client: ClientSecret
) -> None:
    stack.start("slow", "slow-2")
    try:
        other = create_client(engine, f"another {uuid4()}")
        ids = [
            batches.submit(one, "limits.crowded", [{"seconds": 0.1}] * 20)
            for one in (client, other)
        ]
        spans = [
            (item.result["began"], item.result["ended"])
            for batch_id in ids
            for item in batches.ended(batch_id)
        ]
    finally:
        stack.processes.pop("slow-2").stop()
    assert len(spans) == 40
    at_once = [sum(began <= moment < ended for began, ended in spans) for moment, _ in spans]
    assert max(at_once) == 3


@pytest.fixture
def turns(engine: Engine) -> Iterator[Callable[[], list[Row[Any]]]]:
    """Every turn that `limits.paced` gives while the test runs, oldest first.

    `free`: when the turn before it was over. `next`: when the one after it may be. `asked`,
    `given`: when its statement came, and when it was given.
    """
    with engine.begin() as connection:
        connection.execute(text(_NOTE_TURNS))

    def given() -> list[Row[Any]]:
        with engine.connect() as connection:
            return list(connection.execute(text("SELECT * FROM turns ORDER BY given")))

    yield given
    with engine.begin() as connection:
        connection.execute(
            text("DROP TRIGGER turns ON operation_gates; DROP FUNCTION turns; DROP TABLE turns")
        )


_NOTE_TURNS = """
CREATE TABLE turns (free float, next float, asked float, given float);
CREATE FUNCTION turns() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO turns VALUES (extract(epoch FROM OLD.free_at), extract(epoch FROM NEW.free_at),
                              extract(epoch FROM statement_timestamp()),
                              extract(epoch FROM clock_timestamp()));
    RETURN NULL;
END $$;
CREATE TRIGGER turns AFTER UPDATE OF free_at ON operation_gates
FOR EACH ROW WHEN (NEW.operation = 'limits.paced') EXECUTE FUNCTION turns();
"""
COUNT = 30
PACE = 0.05  # what an item takes up of the rate
EARLY = 0.05  # what a turn may be early, and timers and clocks may be off


def items_of(turn: Row[Any]) -> int:
    """The items that the turn is for: those of a slice, of which cheap ones may have several."""
    return int((turn.next - max(turn.free, turn.asked)) / PACE + 1e-3)


def test_the_rate_holds_over_all_workers(
    batches: Batches,
    engine: Engine,
    client: ClientSecret,
    turns: Callable[[], list[Row[Any]]],
) -> None:
    clients = (client, create_client(engine, f"another {uuid4()}"))

    def run(operation: str) -> tuple[list[float], float]:
        """When the items began, and how long it took to have all of them done."""
        before = time.monotonic()
        ids = [batches.submit(one, operation, [{}] * COUNT) for one in clients]
        began = [item.result["began"] for batch_id in ids for item in batches.ended(batch_id)]
        return sorted(began), time.monotonic() - before

    _, without_a_rate = run("limits.unpaced")
    began, took = run("limits.paced")
    given = turns()
    assert len(began) == 2 * COUNT
    # A twentieth of a second an item, no turn before the one before it is over ...
    assert all(turn.given >= turn.free - EARLY for turn in given)
    assert all(items_of(turn) >= 1 for turn in given)
    # ... and nothing begins without one.
    turn_of = [turn for turn in given for _ in range(items_of(turn))]
    assert len(turn_of) >= 2 * COUNT
    assert all(
        start >= turn.given - EARLY for start, turn in zip(began, turn_of[: 2 * COUNT], strict=True)
    )
    # Nor is anything left lying that might begin: three seconds, and what this machine takes.
    assert took < 2 * COUNT / 20 + 3 + 4 * without_a_rate
