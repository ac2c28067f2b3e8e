"""Whatever a handler answers or raises, its item ends, its neighbours too, and nothing loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from marshmallow import Schema, fields, validates_schema
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from handlers import Context, Item, Operation, Outcome, Reject, Retry
from tests.engine.rig import Rig


class AnySchema(Schema):
    """`what`: which of the answers."""

    what = fields.Raw(required=True)

    @validates_schema
    def explode(self, data: dict[str, Any], **_: Any) -> None:
        """A schema of somebody's may do anything."""
        if data["what"] == "schema":
            raise KeyError("schema")


def away(_: Context) -> Outcome:
    raise OperationalError("SELECT 1", {}, Exception("could not connect to server"))


def deadlock(context: Context) -> Outcome:
    context.connection.execute(
        text("DO $$ BEGIN RAISE EXCEPTION 'as asked' USING ERRCODE = '40P01'; END $$")
    )
    return Outcome()


ANSWERS: dict[str, Any] = {
    "no outcome": lambda _: {"not": "an outcome"},
    "none": lambda _: None,
    "no json": lambda _: Outcome(object()),
    "lone surrogate": lambda _: Outcome("\ud800"),
    "odd message": lambda _: Outcome({}, message="\x00 and \ud800"),
    "message of another type": lambda _: Outcome({}, message=17),  # type: ignore[arg-type]
    "large code": lambda _: _raise(Reject("large", code=10**12)),
    "code of another type": lambda _: _raise(Reject("text", code="404")),  # type: ignore[arg-type]
    "endless wait": lambda _: _raise(Retry("never", after=float("inf"))),
    "no wait": lambda _: _raise(Retry("odd", after="soon")),  # type: ignore[arg-type]
    "not a number": lambda _: _raise(Retry("odd", after=float("nan"))),
    "long message": lambda _: _raise(Reject("x" * 100_000)),
    "another database is away": away,
    "deadlock for ever": deadlock,
    "broken transaction": lambda context: context.connection.execute(text("SELECT 1 / 0")),
    "recursion": lambda _: _recurse(),
    "schema": lambda _: Outcome(),
}
SUCCEEDING = {"odd message", "message of another type"}


def _raise(error: Exception) -> Outcome:
    raise error


def _recurse() -> Outcome:
    return _recurse()


def handle(item: Item, context: Context) -> Outcome:
    """One of the answers; or an effect, and success."""
    what = item.data["what"]
    if isinstance(what, int):
        context.records.upsert("misbehaved", [(str(what), what)])
        return Outcome(what)
    answer: Outcome = ANSWERS[what](context)
    return answer


def handle_all(items: list[Item], context: Context) -> list[Outcome]:
    """Several; what one raises spoils the call."""
    return [handle(item, context) for item in items]


@pytest.fixture(params=[False, True], ids=["one", "bulk"])
def operation(rig: Rig, request: pytest.FixtureRequest) -> Iterator[str]:
    name = "test.misbehaving"
    rig.registry.discard(name)
    rig.registry.add(
        Operation(
            name,
            handle_all if request.param else handle,
            AnySchema,
            bulk=request.param,
            max_attempts=2,
            backoff_seconds=0.01,
        )
    )
    yield name
    rig.registry.discard(name)


@pytest.mark.parametrize(
    "what",
    [
        # Postgres finds a deadlock after a second, and there are many tries.
        pytest.param(what, marks=pytest.mark.whole) if what == "deadlock for ever" else what
        for what in ANSWERS
    ],
)
def test_it_ends_and_its_neighbours_do_too(rig: Rig, operation: str, what: str) -> None:
    batch_id = rig.submit(operation, [{"what": 0}, {"what": what}, {"what": 2}])
    if what == "endless wait":
        rig.deliver_all()
        item = rig.items(batch_id)[1]
        assert (item.status, item.attempts) == ("PENDING", 1)
        rig.run("UPDATE items SET due_at = now() WHERE due_at > now() + interval '1 day'")
        rig.run("UPDATE batches SET due_at = now() WHERE due_at > now() + interval '1 day'")
    rig.run_out(batch_id)
    before, item, after = rig.items(batch_id)
    assert (before.status, after.status) == ("SUCCESS", "SUCCESS")
    assert (before.attempts, after.attempts) == (1, 1)
    if what in SUCCEEDING:
        assert item.status == "SUCCESS"
    elif what == "schema":
        assert (item.status, item.code) == ("INVALID", 422)
    else:
        assert item.status == "FAILED"
        assert item.code
        assert 0 < len(item.message) <= 2000
    stored = rig.rows(
        "SELECT key, version FROM records WHERE client_id = :id AND collection = 'misbehaved'",
        id=rig.client_id,
    )
    assert sorted(tuple(row) for row in stored) == [("0", 1), ("2", 1)]
