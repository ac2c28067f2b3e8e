"""Two transactions that touch the same categories at the same moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from app.db import transaction
from handlers import Defer, Outcome
from handlers.contract import Answer
from tests.handlers.calling import HandlerContext, call, summed
from tests.handlers.test_category import named, stored

_BLOCKED = text(
    """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND :pid = ANY(pg_blocking_pids(pid))
    """
)


class Races:
    """A second transaction beside the test's own."""

    def __init__(self, engine: Engine) -> None:
        self.client_id = uuid4()
        self._engine = engine
        self._threads = ThreadPoolExecutor(1)

    def committed(self, *items: object) -> list[Answer]:
        """The answers to a call in a transaction of its own."""
        with transaction(self._engine) as connection:
            return call(HandlerContext(connection, self.client_id), "catalog.category", *items)

    def meanwhile(self, first: HandlerContext, *items: object) -> Future[list[Answer]]:
        """The same in a thread, once it is through or waits for the transaction of `first`."""
        pid = first.connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        second = self._threads.submit(self.committed, *items)
        until = time.monotonic() + 20
        with self._engine.connect() as connection:
            while not second.done():
                if connection.execute(_BLOCKED, {"pid": pid}).scalar_one():
                    break
                connection.rollback()
                assert time.monotonic() < until
                time.sleep(0.01)
        return second

    def stored(self) -> dict[str, str | None]:
        with self._engine.connect() as connection:
            return stored(HandlerContext(connection, self.client_id))

    def close(self) -> None:
        self._threads.shutdown()


@pytest.fixture
def races(engine: Engine) -> Iterator[Races]:
    made = Races(engine)
    yield made
    made.close()


def test_two_moves_do_not_close_a_circle(races: Races, engine: Engine) -> None:
    races.committed(named("A"), named("B"), named("C", "B"))
    with transaction(engine) as connection:
        first = HandlerContext(connection, races.client_id)
        assert isinstance(call(first, "catalog.category", named("A", "C"))[0], Outcome)
        second = races.meanwhile(first, named("B", "A"))
        assert not second.done(), "it did not wait"
    (answer,) = second.result(20)
    assert isinstance(answer, Defer)
    assert races.stored() == {"A": "C", "B": None, "C": "B"}


def test_a_category_that_stays_does_not_undo_a_move(races: Races, engine: Engine) -> None:
    """It is read and written under its lock, so its parent is the latest one."""
    races.committed(named("A"), named("B"), named("X", "A"))
    with transaction(engine) as connection:
        first = HandlerContext(connection, races.client_id)
        call(first, "catalog.category", named("X", "B"), named("A", "X"))
        second = races.meanwhile(first, named("X", "A"))
        assert not second.done(), "it did not wait"
    (answer,) = second.result(20)
    assert isinstance(answer, Defer)
    assert races.stored() == {"A": "X", "B": None, "X": "B"}


def test_two_that_insert_the_same_agree_on_its_number(races: Races, engine: Engine) -> None:
    with transaction(engine) as connection:
        first = HandlerContext(connection, races.client_id)
        (inserted,) = call(first, "catalog.category", named("X"))
        second = races.meanwhile(first, named("X", "Y"), named("Y"))
        assert not second.done(), "it did not wait"
    assert isinstance(inserted, Outcome)
    updated, other = second.result(20)
    assert summed([updated]) == [{"process": "UPDATE", "entityId": inserted.result["entityId"]}]
    assert isinstance(other, Outcome)
    assert other.result["process"] == "INSERT"
    assert races.stored() == {"X": "Y", "Y": None}


def test_new_categories_do_not_wait_for_moves(races: Races, engine: Engine) -> None:
    races.committed(named("A"), named("B"), named("C"))
    with transaction(engine) as connection:
        first = HandlerContext(connection, races.client_id)
        call(first, "catalog.category", named("A", "B"))
        second = races.meanwhile(first, named("N", "B"), {**named("C"), "name": "Renamed"})
        assert second.done(), "it waited"
    assert races.stored() == {"A": "B", "B": None, "C": None, "N": "B"}
