"""Operations whose effects show how often, and in which order, each item took effect."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema
from sqlalchemy import text

from handlers import Context, Defer, Item, Outcome, Reject, Retry, operation
from handlers.contract import Answer
from handlers.fields import Reference, Text, WholeNumber

LOG = "log"
DONE = "done"


class LoggedSchema(Schema):
    """`uid`: which item this is, among all there ever were. `do`: how it behaves."""

    uid = WholeNumber(required=True)
    key = Reference(load_default=None, allow_none=True)
    do = Text(load_default="succeed")
    waits_for = Reference(load_default=None, allow_none=True)


def behave(item: Item, context: Context) -> Outcome:
    """Do as the item asks; with an effect only where it succeeds."""
    do = item.data["do"]
    if do == "reject":
        raise Reject("rejected as asked", code=418)
    if do == "retry" and item.attempt == 1:
        raise Retry("not yet", after=0.01)
    if do == "flaky" and item.attempt <= 2:
        raise RuntimeError("flaky as asked")
    if do == "broken":
        raise RuntimeError("broken as asked")
    if do == "sql":
        context.connection.execute(text("SELECT 1 / 0"))
    waits_for = item.data["waits_for"]
    if waits_for is not None and not context.records.get(DONE, [waits_for]):
        raise Defer(f"{waits_for} is not there", code=404)
    key = item.data["key"] or f"own {item.data['uid']}"
    seen = context.records.get(LOG, [key], lock=True).get(key, [])
    context.records.upsert(LOG, [(key, [*seen, item.data["uid"]])])
    context.records.upsert(DONE, [(str(item.data["uid"]), True)])
    return Outcome({"attempt": item.attempt})


_OPTIONS: dict[str, Any] = {
    "schema": LoggedSchema,
    "key": ("key",),
    "collection": LOG,
    "max_attempts": 3,
    "backoff_seconds": 0.01,
    "slice_items": 5,  # as many as the tests allow a slice, whatever is learned
}


@operation("log.one", **_OPTIONS)
def log_one(item: Item, context: Context) -> Outcome:
    """An item at a time."""
    return behave(item, context)


@operation("log.bulk", bulk=True, **_OPTIONS)
def log_bulk(items: list[Item], context: Context) -> list[Answer]:
    """Many at a time; what is raised spoils the whole call."""
    answers: list[Answer] = []
    for item in items:
        try:
            answers.append(behave(item, context))
        except (Reject, Retry, Defer) as problem:
            answers.append(problem)
    return answers


@operation("log.outside", in_database=False, **_OPTIONS)
def log_outside(item: Item, context: Context) -> Outcome:
    """Effects elsewhere: none that could be seen here."""
    if item.data["do"] == "reject":
        raise Reject("rejected as asked", code=418)
    if item.data["do"] in ("retry", "flaky") and item.attempt == 1:
        raise Retry("not yet", after=0.01)
    if item.data["do"] in ("broken", "sql"):
        raise RuntimeError("broken as asked")
    return Outcome({"key": context.idempotency_key(item)})


@operation("log.crowded", concurrency=2, **_OPTIONS)
def log_crowded(item: Item, context: Context) -> Outcome:
    """At most two at once."""
    return behave(item, context)


@operation("log.paced", rate_limit=200.0, **_OPTIONS)
def log_paced(item: Item, context: Context) -> Outcome:
    """At most two hundred a second."""
    return behave(item, context)
