"""What handlers in the field do: raise, answer and do to their connection, each under a name.

For test_whatever_a_handler_does.py.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any, NoReturn

from marshmallow import Schema, fields
from psycopg2 import OperationalError
from sqlalchemy import text

from handlers import Context, Item, Outcome, Reject, Retry

COUNT, GUILTY = 20, 7


class CaseSchema(Schema):
    """`kind`: what the item's handler does beside its effect."""

    id = fields.String(required=True)
    kind = fields.String(load_default="ok")


class Panic(BaseException):
    """As native libraries raise it."""


class Textless(Exception):
    """Its text cannot be made."""

    def __str__(self) -> str:
        raise SystemExit

    __repr__ = __str__


class OddText(Exception):
    """Its text is none."""

    def __str__(self) -> str:
        return 17  # type: ignore[return-value]


class OddAttribute(Exception):
    """What the database layer looks for cannot be read."""

    @property
    def orig(self) -> NoReturn:
        raise KeyboardInterrupt


class OddReject(Reject):
    """A problem that is made without words."""

    def __init__(self) -> None:
        pass


class Unsure:
    """Neither a text nor a number."""

    def __str__(self) -> str:
        raise Panic

    def __float__(self) -> float:
        raise Panic


def raising(make: Callable[[], BaseException]) -> Callable[[Any], NoReturn]:
    def handle(_: Any) -> NoReturn:
        raise make()

    return handle


def _raise(error: Exception) -> NoReturn:
    raise error


def circular(_: Any) -> Outcome:
    circle: list[Any] = []
    circle.append(circle)
    return Outcome(circle)


def nested(_: Any) -> Outcome:
    deep: list[Any] = []
    for _level in range(100_000):
        deep = [deep]
    return Outcome(deep)


# Whatever can be done without a connection, and the words that the item's message has.
RAISED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "cancelled": (raising(lambda: asyncio.CancelledError()), "CancelledError"),
    "generator exit": (raising(lambda: GeneratorExit()), "GeneratorExit"),
    "system exit": (raising(lambda: SystemExit(3)), "SystemExit: 3"),
    "interrupt": (raising(lambda: KeyboardInterrupt()), "KeyboardInterrupt"),
    "group": (
        raising(lambda: BaseExceptionGroup("several", [Panic()])),
        "BaseExceptionGroup: several",
    ),
    "panic": (raising(lambda: Panic("index out of bounds")), "Panic: index out of bounds"),
    "stop iteration": (raising(lambda: StopIteration()), "StopIteration"),
    "textless": (raising(lambda: Textless()), "Textless: its text cannot be made"),
    "odd text": (raising(lambda: OddText()), "OddText: its text cannot be made"),
    "odd attribute": (raising(lambda: OddAttribute("so it is")), "OddAttribute: so it is"),
    "huge text": (raising(lambda: ValueError("x" * 50_000_000)), "ValueError: xxx"),
    "another database": (
        raising(lambda: OperationalError("connection refused")),
        "connection refused",
    ),
}
SAID: dict[str, tuple[Callable[[Any], Any], str]] = {
    "nothing": (lambda _: None, "returned nothing; it must return an Outcome"),
    "odd reject": (raising(lambda: OddReject()), "OddReject"),
    "odd message": (raising(lambda: Reject(Unsure())), "Reject: its text cannot be made"),  # type: ignore[arg-type]
    "odd code": (raising(lambda: Reject("coded", code=Unsure())), "coded"),  # type: ignore[arg-type]
    "odd wait": (raising(lambda: Retry("waiting", after=Unsure())), "waiting"),  # type: ignore[arg-type]
}
UNSTORABLE: dict[str, Callable[[Any], Any]] = {
    "not a number": lambda _: Outcome({"x": Decimal("NaN")}),
    "infinity": lambda _: Outcome([Decimal("-Infinity")]),
    "decimal key": lambda _: Outcome({Decimal("1.5"): 1}),
    "no number as key": lambda _: Outcome({Decimal("NaN"): 1}),
    "lone surrogate": lambda _: Outcome({"\ud800": 1}),
    "huge number": lambda _: Outcome(10**5000),
    "larger than a double": lambda _: Outcome({"x": Decimal("1e999")}),
    "deep": lambda _: Outcome(json.loads("[" * 65 + "]" * 65)),
    "object": lambda _: Outcome(object()),
    "circular": circular,
    "nested": nested,
    "huge": lambda _: Outcome("x" * (33 * 1024 * 1024)),
}


def swallow(context: Any) -> Outcome:
    with suppress(Exception):  # as handlers do
        context.connection.execute(text("SELECT 1 / 0"))
    return Outcome()


def swallow_within(context: Any) -> Outcome:
    inner = context.connection.begin_nested()
    with suppress(Exception):  # and leaves the savepoint as it is
        context.connection.execute(text("SELECT 1 / 0"))
    assert inner
    return Outcome()


def calling(name: str, *, quietly: bool = False) -> Callable[[Any], Outcome]:
    def handle(context: Any) -> Outcome:
        try:
            getattr(context.connection, name)()
        except Exception:
            if not quietly:
                raise
        return Outcome()

    return handle


def says(*statements: str) -> Callable[[Any], Outcome]:
    def handle(context: Any) -> Outcome:
        for statement in statements:
            context.connection.execute(text(statement))
        return Outcome()

    return handle


def driver(method: str, *statements: str) -> Callable[[Any], Outcome]:
    def handle(context: Any) -> Outcome:
        getattr(context.connection.connection.driver_connection, method)()
        return says(*statements)(context)

    return handle


def cursor(*statements: str) -> Callable[[Any], Outcome]:
    def handle(context: Any) -> Outcome:
        with context.connection.connection.driver_connection.cursor() as raw:
            for statement in statements:
                raw.execute(statement)
        return Outcome()

    return handle


def root(method: str) -> Callable[[Any], Outcome]:
    def handle(context: Any) -> Outcome:
        getattr(context.connection.get_transaction(), method)()
        return Outcome()

    return handle


def rolls_back_and_fails(context: Any) -> NoReturn:
    driver("rollback", "SELECT 1")(context)
    raise ValueError("and fails")


ENDED = "ended the transaction it was given"
# And what can be done with one.
WITH_CONNECTION: dict[str, tuple[Callable[[Any], Any], str]] = {
    "swallowed": (swallow, "went on after one of its statements had failed"),
    "swallowed in a savepoint": (swallow_within, "went on after one of its statements had failed"),
    "commits": (calling("commit"), "connection.commit() is refused"),
    "rolls back": (calling("rollback"), "connection.rollback() is refused"),
    "closes": (calling("close"), "connection.close() is refused"),
    "begins": (calling("begin"), "connection.begin() is refused"),
    "invalidates": (calling("invalidate"), "connection.invalidate() is refused"),
    "detaches": (calling("detach"), "connection.detach() is refused"),
    "commits quietly": (calling("commit", quietly=True), "connection.commit() is refused"),
    "says rollback": (says("  rollback"), "connection.execute(ROLLBACK) is refused"),
    "says abort": (says("/* so */ ABORT"), "connection.execute(ABORT) is refused"),
    "says commit": (says("-- so\nCOMMIT WORK"), "connection.execute(COMMIT) is refused"),
    "says begin": (says("BEGIN"), "connection.execute(BEGIN) is refused"),
    "cursor rolls back": (cursor("ROLLBACK"), ENDED),
    "cursor begins again": (cursor("ROLLBACK", "BEGIN", "SELECT 1"), ENDED),
    "cursor commits": (cursor("COMMIT"), ENDED),
    "cursor commits along": (says("SELECT 1; COMMIT"), ENDED),
    "driver rolls back": (driver("rollback"), ENDED),
    "driver rolls back and goes on": (driver("rollback", "SELECT 1"), ENDED),
    "driver commits": (driver("commit", "SELECT 1"), ENDED),
    "driver closes": (driver("close"), ENDED),
    "root rolls back": (root("rollback"), ENDED),
    "root commits": (root("commit"), ENDED),
    "rolls back and fails": (rolls_back_and_fails, ENDED),
    "leaves a savepoint and fails": (
        lambda context: (
            context.connection.begin_nested(),
            raising(lambda: ValueError("later"))(context),
        ),
        "ValueError: later",
    ),
}
# What was written before it is committed, whatever is done about it.
COMMITTING = {"cursor commits", "cursor commits along", "driver commits", "root commits"}

KINDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    **RAISED,
    **SAID,
    **{name: (handle, "result cannot be stored: ") for name, handle in UNSTORABLE.items()},
    **WITH_CONNECTION,
}
WAYS = ("in database", "bulk in database", "elsewhere", "bulk elsewhere", "threads")

calls: Counter[str] = Counter()
effects: set[str] = set()


def do(item: Item, context: Context) -> Any:
    """The item's effect, and what its kind says."""
    calls[item.data["id"]] += 1
    kind = item.data["kind"]
    return Outcome({"ok": True}) if kind == "ok" else KINDS[kind][0](context)


def in_database(item: Item, context: Context) -> Any:
    context.records.upsert("case", [(str(item.index), {"id": item.data["id"]})])
    return do(item, context)


def in_database_bulk(items: list[Item], context: Context) -> Any:
    return [in_database(item, context) for item in items]


def elsewhere(item: Item, context: Context) -> Any:
    effects.add(context.idempotency_key(item))
    return do(item, context)


def elsewhere_bulk(items: list[Item], context: Context) -> Any:
    return [elsewhere(item, context) for item in items]


HANDLERS: dict[str, Callable[..., Any]] = {
    "in database": in_database,
    "bulk in database": in_database_bulk,
    "elsewhere": elsewhere,
    "bulk elsewhere": elsewhere_bulk,
    "threads": elsewhere,
}
