"""One item of twenty does what handlers in the field do: it alone pays for it.

After the small inputs that were seen to fail on running systems. Each kind by every way in which a
handler is called: alone or in bulk, with effects in the database or elsewhere, in a process's main
thread or in a worker with threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NoReturn
from uuid import UUID

import pytest
from marshmallow import ValidationError, validates_schema
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from handlers import Context, Item, Operation, Outcome
from tests.engine.misbehaviour import (
    COMMITTING,
    COUNT,
    ENDED,
    GUILTY,
    HANDLERS,
    KINDS,
    UNSTORABLE,
    WAYS,
    WITH_CONNECTION,
    CaseSchema,
    Panic,
    Textless,
    Unsure,
    calls,
    do,
    effects,
    says,
)
from tests.engine.rig import Rig


@pytest.fixture
def offer(rig: Rig) -> Iterator[Callable[..., str]]:
    """Registers an operation of the test's own, called in that way."""
    names: list[str] = []

    def make(way: str, handler: Callable[..., Any] | None = None, **options: Any) -> str:
        name = f"case.{len(names)}"
        rig.registry.discard(name)
        rig.registry.add(
            Operation(
                name,
                handler or HANDLERS[way],
                options.pop("schema", CaseSchema),
                key=("id",),
                bulk="bulk" in way,
                in_database="in database" in way,
                max_attempts=2,
                backoff_seconds=0.01,
                slice_items=COUNT,
                **options,
            )
        )
        names.append(name)
        return name

    calls.clear()
    effects.clear()
    yield make
    for name in names:
        rig.registry.discard(name)


@pytest.fixture
def wide(rig: Rig) -> Rig:
    """A rig whose slices hold all of the items."""
    from dataclasses import replace

    rig.settings = replace(rig.settings, max_slice_items=COUNT)
    rig.runtime = rig.worker()
    return rig


def submit(rig: Rig, operation: str, kind: str) -> UUID:
    return rig.submit(
        operation,
        [{"id": f"id{n}", "kind": kind if n == GUILTY else "ok"} for n in range(COUNT)],
    )


def run(rig: Rig, batch_id: UUID, way: str) -> None:
    """Run it out; in a thread, as a worker with threads does."""
    if way != "threads":
        rig.run_out(batch_id)
        return
    raised: list[BaseException] = []

    def work() -> None:
        try:
            rig.run_out(batch_id)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def records(rig: Rig) -> dict[str, int]:
    rows = rig.rows(
        "SELECT key, version FROM records WHERE client_id = :id AND collection = 'case'",
        id=rig.client_id,
    )
    return {row.key: row.version for row in rows}


GOOD = {str(n) for n in range(COUNT) if n != GUILTY}
CASES = [
    (kind, way)
    for kind in KINDS
    for way in WAYS
    if kind not in WITH_CONNECTION or "in database" in way
]


@pytest.mark.parametrize(("kind", "way"), CASES)
def test_it_alone_pays(wide: Rig, offer: Callable[..., str], kind: str, way: str) -> None:
    batch_id = submit(wide, offer(way), kind)
    run(wide, batch_id, way)
    items = wide.items(batch_id)
    assert [item.status for item in items] == [
        "FAILED" if n == GUILTY else "SUCCESS" for n in range(COUNT)
    ]
    assert KINDS[kind][1] in items[GUILTY].message
    assert len(items[GUILTY].message) <= 2000
    assert {item.attempts for item in items if item.index != GUILTY} == {1}
    assert items[GUILTY].attempts == (2 if tried_again(kind) else 1)
    if "in database" not in way:
        assert len(effects) == COUNT
        if way != "bulk elsewhere" or kind in UNSTORABLE or kind == "nothing":
            assert {calls[f"id{n}"] for n in map(int, GOOD)} == {1}
    elif kind in COMMITTING or (kind == "cursor rolls back" and "bulk" in way):
        # Committed with, or after, what the guilty one did, and done again: never lost.
        assert set(records(wide)) >= GOOD
    else:
        assert records(wide) == dict.fromkeys(GOOD, 1)
        if way == "in database" and WITH_CONNECTION.get(kind, ("", ""))[1] != ENDED:
            assert {calls[f"id{n}"] for n in map(int, GOOD)} == {1}
    if kind in UNSTORABLE and way != "bulk in database":
        assert calls[f"id{GUILTY}"] == 1, "a handler is not called again for its result"


def tried_again(kind: str) -> bool:
    return not (
        kind in UNSTORABLE
        or kind in ("odd reject", "odd message", "odd code")
        or WITH_CONNECTION.get(kind, ("", ""))[1] == ENDED
    )


class OddList(list[Any]):
    """A list of somebody's own."""

    def __init__(self, method: str) -> None:
        super().__init__([Outcome()] * COUNT)
        self.method = method

    def __iter__(self) -> Iterator[Any]:
        return super().__iter__() if self.method != "iter" else self._fail()

    def __len__(self) -> int:
        return super().__len__() if self.method != "len" else self._fail()

    def _fail(self) -> NoReturn:
        raise Panic("odd list")


@pytest.mark.parametrize("method", ["iter", "len"])
@pytest.mark.parametrize("way", ["bulk in database", "bulk elsewhere"])
def test_a_bulk_handler_s_list_may_do_anything(
    wide: Rig, offer: Callable[..., str], way: str, method: str
) -> None:
    batch_id = submit(wide, offer(way, lambda _items, _context: OddList(method)), "ok")
    wide.run_out(batch_id)
    assert wide.statuses(batch_id) == ["FAILED"] * COUNT


class OddMessages(ValidationError):
    """Its messages cannot be read."""

    def normalized_messages(self, *_: Any) -> NoReturn:
        raise Panic


SCHEMA_ERRORS: dict[str, Callable[[], BaseException]] = {
    "exit": SystemExit,
    "cancelled": asyncio.CancelledError,
    "panic": Panic,
    "textless": Textless,
    "odd messages": lambda: OddMessages("odd"),
    "odd message": lambda: ValidationError({"id": [Unsure()]}),
}


@pytest.mark.parametrize("kind", SCHEMA_ERRORS)
@pytest.mark.parametrize("way", WAYS[:3])
def test_a_schema_may_raise_anything(
    wide: Rig, offer: Callable[..., str], kind: str, way: str
) -> None:
    class Exploding(CaseSchema):
        @validates_schema
        def explode(self, data: dict[str, Any], **_: Any) -> None:
            if data["kind"] != "ok":
                raise SCHEMA_ERRORS[data["kind"]]()

    batch_id = submit(wide, offer(way, schema=Exploding), kind)
    wide.run_out(batch_id)
    assert wide.statuses(batch_id) == [
        "INVALID" if n == GUILTY else "SUCCESS" for n in range(COUNT)
    ]
    assert wide.items(batch_id)[GUILTY].message
    assert set(calls.values()) == {1}


def with_savepoints(item: Item, context: Context) -> Outcome:
    """What a handler may do with the connection, all of it."""
    connection = context.connection
    assert isinstance(connection, Connection)
    key = {"client": context.client_id, "key": str(item.index)}
    statement = text(
        """INSERT INTO records (client_id, collection, key, data)
           VALUES (:client, 'case', :key, '1')"""
    )
    again = text("UPDATE records SET version = 9 WHERE client_id = :client AND key = :key")
    with connection.begin_nested():
        connection.execute(statement, key)
    with suppress(Exception), connection.begin_nested():
        connection.execute(again, key)
        connection.execute(text("SELECT 1 / 0"))
    with Session(connection) as session:
        session.execute(text("SELECT 1"))
        session.commit()
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        session.execute(again, key)
        session.rollback()
    left_open = connection.begin_nested()
    connection.execute(text("SELECT 1"))
    assert left_open.is_active
    return do(item, context)  # type: ignore[no-any-return]


@pytest.mark.parametrize("way", ["in database", "bulk in database"])
def test_savepoints_are_a_handler_s_to_use(wide: Rig, offer: Callable[..., str], way: str) -> None:
    def in_bulk(items: list[Item], context: Context) -> list[Outcome]:
        return [with_savepoints(item, context) for item in items]

    handler = with_savepoints if way == "in database" else in_bulk
    batch_id = submit(wide, offer(way, handler), "ok")
    wide.run_out(batch_id)
    assert wide.statuses(batch_id) == ["SUCCESS"] * COUNT, wide.items(batch_id)[0].message
    assert records(wide) == {str(n): 1 for n in range(COUNT)}
    assert set(calls.values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["in database", "bulk in database"])
def test_one_that_breaks_its_connection_each_time_fails_alone(
    wide: Rig, offer: Callable[..., str], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    breaks = says("SELECT pg_terminate_backend(pg_backend_pid())")
    monkeypatch.setitem(KINDS, "breaks", (breaks, "broke each time it was tried"))
    batch_id = submit(wide, offer(way), "breaks")
    wide.run_out(batch_id, within=60)
    items = wide.items(batch_id)
    assert [item.status for item in items] == [
        "FAILED" if n == GUILTY else "SUCCESS" for n in range(COUNT)
    ]
    assert "broke each time it was tried" in items[GUILTY].message
    assert records(wide) == dict.fromkeys(GOOD, 1)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["elsewhere", "bulk elsewhere", "threads"])
def test_nothing_is_called_again_while_the_disk_is_full(
    wide: Rig, offer: Callable[..., str], way: str
) -> None:
    batch_id = submit(wide, offer(way), "ok")
    wide.run(
        """CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$"""
    )
    wide.run(
        f"""CREATE TRIGGER disk_full BEFORE UPDATE ON items FOR EACH ROW
            WHEN (NEW.batch_id = '{batch_id}') EXECUTE FUNCTION disk_full()"""
    )
    # Longer than what is tried five times takes.
    freed = threading.Timer(4, lambda: wide.run("DROP TRIGGER disk_full ON items"))
    freed.start()
    try:
        run(wide, batch_id, way)
    finally:
        freed.join()
        wide.run("DROP FUNCTION disk_full")
    assert wide.statuses(batch_id) == ["SUCCESS"] * COUNT
    assert {item.attempts for item in wide.items(batch_id)} == {1}
    assert set(calls.values()) == {1}


@pytest.mark.parametrize("way", ["elsewhere", "bulk elsewhere"])
def test_nothing_is_called_again_for_an_outcome_that_is_refused(
    wide: Rig, offer: Callable[..., str], way: str
) -> None:
    batch_id = submit(wide, offer(way), "ok")
    wide.run(
        """CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN RAISE EXCEPTION 'not this one'; END $$"""
    )
    wide.run(
        f"""CREATE TRIGGER refuse_one BEFORE UPDATE ON items FOR EACH ROW
            WHEN (NEW.batch_id = '{batch_id}' AND NEW.index = {GUILTY} AND NEW.status = 'SUCCESS')
            EXECUTE FUNCTION refuse_one()"""
    )
    try:
        wide.run_out(batch_id)
    finally:
        wide.run("DROP TRIGGER refuse_one ON items")
        wide.run("DROP FUNCTION refuse_one")
    assert wide.statuses(batch_id) == ["FAILED" if n == GUILTY else "SUCCESS" for n in range(COUNT)]
    assert "not this one" in wide.items(batch_id)[GUILTY].message
    assert set(calls.values()) == {1}
