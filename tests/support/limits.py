"""Operations for tests of limits: they hang in every way there is, and say when they ran."""

from __future__ import annotations

import time
from typing import Any

from marshmallow import Schema
from sqlalchemy import text

from handlers import Context, Item, Outcome, operation
from handlers.fields import Number, Reference, Text


class HangingSchema(Schema):
    """`do`: how to hang, if at all. `seconds`: how long to take."""

    do = Text(load_default="succeed")
    key = Reference(load_default=None, allow_none=True)
    seconds = Number(load_default=0)


def hang(item: Item, context: Context) -> Outcome:
    """Take the time that the item says, or all there is."""
    do = item.data["do"]
    if do == "sleep":
        time.sleep(60)
    if do == "spin":
        while True:
            pass
    if do == "except":
        # As handlers do that try again by themselves.
        while True:
            try:
                time.sleep(60)
            except Exception:  # noqa: S112
                continue
    if do == "swallow":
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                time.sleep(60)
            except BaseException:  # noqa: S112
                continue
    if do == "native":
        sum(range(10**12))  # in C, holding the interpreter's lock
    if do == "sql":
        context.connection.execute(text("SELECT pg_sleep(60)"))
    began = time.time()
    time.sleep(float(item.data["seconds"]))
    return Outcome({"began": began, "ended": time.time()})


def record(item: Item, context: Context) -> Outcome:
    """The same, with an effect in the database before."""
    key = f"{context.batch_id}-{item.index}"
    context.records.upsert("limits", [(key, item.attempt)])
    return hang(item, context)


def record_all(items: list[Item], context: Context) -> list[Outcome]:
    """The same of several items, one after the other."""
    return [record(item, context) for item in items]


_ONE_SECOND: dict[str, Any] = {"schema": HangingSchema, "timeout_seconds": 1.0, "max_attempts": 1}

operation("limits.outside", in_database=False, slice_items=20, **_ONE_SECOND)(hang)
operation("limits.inside", slice_items=20, **_ONE_SECOND)(record)
operation("limits.bulk", bulk=True, slice_items=20, **_ONE_SECOND)(record_all)
operation("limits.slow", in_database=False, queue="slow", slice_items=20, **_ONE_SECOND)(hang)
operation("limits.slow-inside", queue="slow", slice_items=20, **_ONE_SECOND)(record)


@operation(
    "limits.twice",
    schema=HangingSchema,
    in_database=False,
    timeout_seconds=0.5,
    max_attempts=2,
    backoff_seconds=0.1,
)
def hang_at_first(item: Item, context: Context) -> Outcome:
    """Too slow at the first try only."""
    if item.attempt == 1:
        time.sleep(60)
    return Outcome()


@operation(
    "limits.crowded",
    schema=HangingSchema,
    in_database=False,
    queue="slow",
    concurrency=3,
    max_attempts=1,
    slice_items=1,
)
def crowded(item: Item, context: Context) -> Outcome:
    """At most three at once."""
    return hang(item, context)


_ONE_AT_A_TIME: dict[str, Any] = {
    "schema": HangingSchema,
    "in_database": False,
    "queue": "slow",
    "max_attempts": 1,
    "slice_items": 1,
}
operation("limits.unpaced", **_ONE_AT_A_TIME)(hang)


@operation("limits.paced", rate_limit=20.0, **_ONE_AT_A_TIME)
def paced(item: Item, context: Context) -> Outcome:
    """At most twenty a second."""
    return hang(item, context)
