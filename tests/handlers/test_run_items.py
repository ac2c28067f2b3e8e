"""`batchline.testing.run_items`: what it says of items is what the engine writes of them."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from marshmallow import Schema
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from batchline import Context, Defer, Item, Operation, Outcome, Reject, Retry
from batchline.fields import Number, Text
from batchline.testing import MemoryRecords, Results, run_items
from handlers import Registry, registry
from tests.handlers.driving import driver


class CaseSchema(Schema):
    id = Text(required=True)
    kind = Text(load_default="ok")
    amount = Number(places=2)


def do(item: Item, context: Context) -> Any:
    """Store the item, and then what its kind says."""
    kind = item.data["kind"]
    key = item.key or ""
    context.records.upsert("kit", [(key, {"kind": kind, "amount": item.data.get("amount")})])
    match kind:
        case "reject":
            raise Reject("never", code=409)
        case "raises":
            raise ZeroDivisionError("a\x00b \ud800")
        case "exits":
            raise SystemExit(3)
        case "nothing":
            return None
        case "nan":
            return Outcome({"n": Decimal("NaN")})
        case "long":
            return Outcome(message="x" * 5000)
        case "waits":
            raise Defer("not there yet")
        case "retry":
            raise Retry("busy", code=429)
        case "sleeps":
            time.sleep(5)
    stored = context.records.get("kit", [key])
    return Outcome({"stored": stored[key], "tries": item.attempt})


def do_many(items: list[Item], context: Context) -> Any:
    return [do(item, context) for item in items]


def do_elsewhere(item: Item, context: Context) -> Any:
    return Outcome(context.idempotency_key(item).rpartition(":")[2])


OPERATIONS = [
    Operation("kit.one", do, CaseSchema, key=("id",), collection="kit", max_attempts=1),
    Operation("kit.many", do_many, CaseSchema, key=("id",), bulk=True, max_attempts=1),
    Operation(
        "kit.again",
        lambda item, context: do(item, context),
        CaseSchema,
        key=("id",),
        max_attempts=3,
    ),
    Operation("kit.away", do_elsewhere, CaseSchema, in_database=False),
    Operation(
        "kit.short",
        lambda item, context: do(item, context),
        CaseSchema,
        key=("id",),
        timeout_seconds=0.2,
    ),
]


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    for operation in OPERATIONS:
        registry.add(operation)
    yield
    for operation in OPERATIONS:
        registry.discard(operation.name)


def case(id: str, kind: str = "ok", **more: Any) -> dict[str, Any]:
    return {"id": id, "kind": kind, **more}


ITEMS: list[Any] = [
    case("a", amount=2.5),
    case("b", "reject"),
    case("c", "raises"),
    case("d", "exits"),
    case("e", "nothing"),
    case("f", "nan"),
    case("g", "long"),
    case("h", "waits"),
    # The same record again, in order, whatever became of it before.
    case("b", amount="1.10"),
    case("a:1/2", amount=7),
    # INVALID, each in its way.
    case("i", amount="1.234"),
    {"kind": "ok"},
    {"id": "j", "sort": "unknown field"},
    "no object",
    None,
    {"id": "k", "kind": [[]]},
    {"id": "x" * 200, "kind": "ok" * 101},
    {"id": "deep", "kind": __import__("functools").reduce(lambda deep, _: [deep], range(70), 1)},
    # Operations of their own.
    {"operation": "kit.away", "data": case("l")},
    {"operation": "kit.never.registered", "data": case("m")},
    {"operation": "catalog.masterlist", "data": {"asin": "A", "countryCode": "US", "percACoS": 1}},
]


@pytest.mark.parametrize("name", ["kit.one", "kit.many"])
def test_it_says_what_the_engine_writes(
    engine: Engine, settings: Settings, client: ClientSecret, name: str
) -> None:
    with driver(engine, settings, registry, slots=1) as driving:
        ended = driving.run(client.client_id, name, ITEMS)
    written = [
        (item.index, item.key, item.status, item.code, item.message, item.result) for item in ended
    ]
    results = run_items(name, ITEMS, client_id=client.client_id)
    said = [(r.index, r.key, r.status, r.code, r.message, r.result) for r in results]
    assert said == written
    assert {status for _, _, status, *_ in said} == {"SUCCESS", "FAILED", "INVALID"}


def test_what_did_not_succeed_leaves_nothing(registry: Registry) -> None:
    for name in ("kit.one", "kit.many"):
        results = run_items(name, [case("a", amount=1), case("b", "reject"), case("c", "raises")])
        assert set(results.records.all("kit")) == {"a"}, name
        assert [type(result.error) for result in results] == [type(None), Reject, ZeroDivisionError]


def test_a_retry_is_pending_and_what_is_behind_it_waits() -> None:
    results = run_items("kit.again", [case("a", "retry"), case("a"), case("b"), case("c", "waits")])
    assert [(one.status, one.code, one.message) for one in results] == [
        ("PENDING", 429, "busy"),
        ("PENDING", None, None),
        ("SUCCESS", None, None),
        ("PENDING", 404, "not there yet"),
    ]
    [last] = run_items("kit.again", [case("a", "retry")], attempt=3)
    assert (last.status, last.code, last.message) == ("FAILED", 429, "busy")
    [fifth] = run_items("kit.one", [case("a")], attempt=5)
    assert fifth.result["tries"] == 5


def test_records_are_kept_from_run_to_run_where_they_are_given() -> None:
    records = MemoryRecords()
    records.upsert("masterlist", [("A1:US", {"percACoS": 1})])
    item = {"asin": "A1", "countryCode": "US", "percACoS": "2.70"}
    [first] = run_items("catalog.masterlist", [item], records=records)
    assert first.result["process"] == "UPDATE"
    assert records.all("masterlist")["A1:US"]["percACoS"] == Decimal("2.70")
    [other] = run_items("catalog.masterlist", [item])
    assert other.result["process"] == "INSERT"


def test_a_handler_is_found_by_itself_or_by_its_name() -> None:
    assert run_items(do, [case("a")])[0].status == "SUCCESS"
    assert run_items("demo.sleep", [{"seconds": 0, "fail": 0}])[0].status == "SUCCESS"
    with pytest.raises(LookupError, match=r"there is no operation 'kit\.none'"):
        run_items("kit.none", [])
    with pytest.raises(LookupError, match="case handles no operation"):
        run_items(case, [])
    assert run_items(do, []) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, object()}])
def test_what_is_no_json_is_no_item(value: Any) -> None:
    with pytest.raises(ValueError, match="item 1 is no JSON: "):
        run_items(do, [case("a"), case("b", amount=value)])


def test_a_time_limit_holds_and_the_test_s_own_alarm_goes_on() -> None:
    rang = threading.Event()
    before = signal.signal(signal.SIGALRM, lambda *_: rang.set())
    left = signal.setitimer(signal.ITIMER_REAL, 100)
    try:
        [late, good] = run_items("kit.short", [case("a", "sleeps"), case("b")], attempt=3)
        assert (late.status, late.code) == ("FAILED", 504)
        assert late.message == "Exceeded the operation's time limit of 0.2 s"
        assert good.status == "SUCCESS"
        assert 90 < signal.getitimer(signal.ITIMER_REAL)[0] <= 100
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        assert rang.wait(10)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *left)


COUNT = text("SELECT count(*) FROM kit_rows")


@pytest.fixture
def rows(engine: Engine) -> Iterator[Callable[..., Results]]:
    """Run items of an operation with a table of its own; it is rolled back."""

    def insert(item: Item, context: Context) -> Outcome:
        context.connection.execute(text("INSERT INTO kit_rows VALUES (:id)"), {"id": item.key})
        context.records.upsert("kit", [(item.key or "", None)])
        match item.data["kind"]:
            case "reject":
                raise Reject("never")
            case "commits":
                context.connection.commit()
            case "breaks":
                context.connection.execute(text("SELECT 1 / 0"))
            case "ends":
                context.connection.connection.driver_connection.rollback()  # type: ignore[union-attr]
        return Outcome()

    def insert_many(items: list[Item], context: Context) -> list[Outcome]:
        return [insert(item, context) for item in items]

    made = [
        Operation("kit.rows", insert, CaseSchema, key=("id",), max_attempts=1),
        Operation("kit.rows.bulk", insert_many, CaseSchema, key=("id",), bulk=True, max_attempts=1),
    ]
    for operation in made:
        registry.add(operation)
    with engine.connect() as connection, connection.begin() as transaction:
        connection.execute(text("CREATE TABLE kit_rows (id text PRIMARY KEY)"))

        def run(name: str, *items: Any) -> Results:
            results = run_items(name, items, connection=connection)
            assert connection.get_nested_transaction() is None
            stored = connection.execute(text("SELECT id FROM kit_rows ORDER BY id")).scalars().all()
            assert sorted(results.records.all("kit")) == stored
            connection.execute(text("DELETE FROM kit_rows"))
            return results

        yield run
        if transaction.is_active:
            transaction.rollback()
    for operation in made:
        registry.discard(operation.name)


@pytest.mark.parametrize("name", ["kit.rows", "kit.rows.bulk"])
def test_tables_of_its_own_are_in_the_test_s_transaction(
    rows: Callable[..., Results], name: str
) -> None:
    results = rows(name, case("a"), case("b", "reject"), case("c", "commits"), case("d", "breaks"))
    assert [one.status for one in results] == ["SUCCESS", "FAILED", "FAILED", "FAILED"]
    assert "connection.commit() is refused" in str(results[2].message)
    assert "division by zero" in str(results[3].message)


def test_a_handler_that_ends_the_test_s_transaction_is_said_so(
    rows: Callable[..., Results],
) -> None:
    with pytest.raises(RuntimeError, match="a handler has ended the transaction"):
        rows("kit.rows", case("a", "ends"))


def test_a_connection_that_is_missing_is_named() -> None:
    item = {"playerUniqueId": "p", "transactionId": "t", "amount": 1}
    [result] = run_items("loyalty.cashback", [item])
    assert result.status == "PENDING"
    assert "run_items(..., connection=...)" in str(result.message)


def test_shipped_operations_with_tables_run_on_a_connection(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        item = {"playerUniqueId": "p", "transactionId": "t", "amount": "1.50"}
        client = uuid4()
        results = run_items(
            "loyalty.cashback", [item, item], connection=connection, client_id=client
        )
        assert [one.status for one in results] == ["SUCCESS", "SUCCESS"]
        assert results[1].result["duplicate"] is True
        transaction.rollback()


def test_effects_elsewhere_have_neither_records_nor_connection() -> None:
    def look(item: Item, context: Context) -> Outcome:
        context.records.get("kit", [])
        return Outcome()

    operation = Operation("kit.looks", look, CaseSchema, in_database=False, max_attempts=1)
    registry.add(operation)
    try:
        [result] = run_items(look, [case("a")])
    finally:
        registry.discard("kit.looks")
    assert "in_database=False" in str(result.message)
