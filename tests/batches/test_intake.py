"""A small batch is one statement; a larger one is streamed. What is stored is the same."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from psycopg2 import DatabaseError
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from app.batches.intake import MOST_CHARACTERS, MOST_ITEMS
from app.batches.item_keys import ItemReader
from app.batches.queries import find_batch
from app.batches.submission import Accepted, Submission, intake_of, write_intake
from app.clients.credentials import ClientSecret
from app.core.errors import AlreadyExists, Invalid
from app.db import each_by_itself, transaction
from app.formats.raw_item import RawItem
from handlers import Registry

TEXTS = (
    '{"do": "succeed", "key": "a"}',
    '{"operation": "test.bulk", "data": {"do": "it\'s \\\\ \\"quoted\\" %(x)s :y"}}',
    '{"do":"succeed",\n"key":"é\\t\\u0000"}',
    '{"do": 1.50, "key": "a"}',
)


def stored(engine: Engine, batch_id: UUID) -> list[tuple[Any, ...]]:
    """The items, as they are in the table, without their batch and times."""
    with engine.connect() as connection:
        return [
            tuple(row)
            for row in connection.execute(
                text(
                    "SELECT index, key, operation, input::text, status, attempts FROM items"
                    " WHERE batch_id = :id ORDER BY index"
                ),
                {"id": batch_id},
            )
        ]


def test_an_operations_name_is_kept_so_far_that_it_can_be_one(registry: Registry) -> None:
    """It stands beside each item in pages and slices, whose bounds are of the items' texts."""

    def read(name: str) -> str | None:
        item = RawItem(json.dumps({"operation": name, "data": {}}))
        [row] = ItemReader(registry, None).read([item])
        return row.operation

    assert read("x" * 255) == "x" * 255
    assert read("x" * 256) == "x" * 255 + "…"
    assert read("x" * 200_000) == "x" * 255 + "…"


def test_names_that_are_made_up_are_not_remembered(registry: Registry) -> None:
    """A stream may have millions of items, each with another operation's name."""
    reader = ItemReader(registry, None)

    def items() -> Iterator[RawItem]:
        for number in range(400):
            name = f"{number}{'x' * 50_000}"
            yield RawItem(json.dumps({"operation": name, "data": {}}))

    tracemalloc.start()
    try:
        assert sum(1 for _ in reader.read(items())) == 400
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (held, peak) < (2**20, 2**21), "20 MB of names went by"
    assert reader.mixed


class Statements:
    """What is sent over `engine`."""

    def __init__(self, engine: Engine) -> None:
        self.texts: list[str] = []
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, *arguments: Any) -> None:
        self.texts.append(arguments[2])


@pytest.fixture
def take(engine: Engine, registry: Registry, client: ClientSecret) -> Any:
    """Take items in: without a transaction where they are few, and otherwise in one."""

    def take(texts: list[str], **fields: Any) -> Accepted:
        fields.setdefault("operation", "test.probe")
        submission = Submission(client.client_id, **{"start": "manual", **fields})
        intake = intake_of(registry, submission, map(RawItem, texts))
        with (each_by_itself if intake.few else transaction)(engine) as connection:
            return write_intake(connection, registry, submission, intake)

    return take


def test_both_ways_store_the_same(engine: Engine, take: Any, client: ClientSecret) -> None:
    fields = {"name": "both", "metadata": {"a": [1, "'"]}, "max_failures": 3}
    few = take(list(TEXTS), **fields)
    assert few.shown is not None
    many = take(list(TEXTS) * 60, **fields)
    assert many.shown is None
    assert many.total == len(TEXTS) * 60 > MOST_ITEMS
    assert stored(engine, few.batch_id) == stored(engine, many.batch_id)[: len(TEXTS)]
    with engine.connect() as connection:
        views = [find_batch(connection, client.client_id, each.batch_id) for each in (few, many)]
    assert few.shown == views[0], "what the statement shows is what is there"
    assert views[0].name == views[1].name == "both"
    assert json.loads(str(views[0].metadata)) == json.loads(str(views[1].metadata))
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT mixed, may_repeat, max_failures, phase, status FROM batches"
                " WHERE id = ANY(:ids)"
            ),
            {"ids": [few.batch_id, many.batch_id]},
        ).all()
    assert rows[0] == rows[1]


def test_a_few_are_one_statement(engine: Engine, take: Any) -> None:
    statements = Statements(engine)
    take(['{"do": "succeed"}'] * MOST_ITEMS)
    assert len(statements.texts) == 1


def test_long_items_are_streamed_however_few(take: Any) -> None:
    long = '{"do": "%s"}' % ("x" * MOST_CHARACTERS)
    assert take([long]).shown is None


def test_none_at_all(engine: Engine, take: Any) -> None:
    assert take([]).total == 0
    with pytest.raises(Invalid, match="at least one"):
        take([], start="now")


@pytest.mark.parametrize("count", [1, MOST_ITEMS + 1])
def test_a_taken_reference_leaves_nothing(engine: Engine, take: Any, count: int) -> None:
    texts = ['{"do": "succeed"}'] * count
    first = take(texts, dialect="kibo", reference="same")
    with pytest.raises(AlreadyExists, match="same"):
        take(texts, dialect="kibo", reference="same")
    assert len(stored(engine, first.batch_id)) == count


@pytest.mark.parametrize("count", [1, MOST_ITEMS + 1])
def test_an_item_that_postgres_refuses_leaves_nothing(
    engine: Engine, take: Any, client: ClientSecret, count: int
) -> None:
    with pytest.raises((DBAPIError, DatabaseError), match="json"):
        take(['{"do": "succeed"}'] * count + ["no JSON"])
    with engine.connect() as connection:
        batches = text("SELECT count(*) FROM batches WHERE client_id = :client")
        assert connection.execute(batches, {"client": client.client_id}).scalar_one() == 0


@pytest.mark.parametrize("place", [0, 3, MOST_ITEMS + 3])
def test_an_error_of_the_items_comes_after_those_of_the_envelope(
    engine: Engine, registry: Registry, client: ClientSecret, place: int
) -> None:
    def items() -> Iterator[RawItem]:
        for _ in range(place):
            yield RawItem("{}")
        raise KeyError("of the items")

    wrong = Submission(client.client_id, "no.such", start="manual")
    right = Submission(client.client_id, "test.bulk", start="manual")
    for submission, error in ((wrong, Invalid), (right, KeyError)):
        intake = intake_of(registry, submission, items())
        assert not intake.few
        with pytest.raises(error), transaction(engine) as connection:
            write_intake(connection, registry, submission, intake)
