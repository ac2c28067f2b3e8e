"""Operations for tests only: they fail, wait, defer, hang and die as an item asks."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

from marshmallow import Schema, fields
from sqlalchemy import text

from handlers import Context, Defer, Item, Outcome, Reject, Retry, operation
from handlers.fields import Number, Reference, Text, WholeNumber
from tests.support import children, limits, misbehaving  # noqa: F401 (they register their own)


class ProbeSchema(Schema):
    """`do` says how the item behaves; `key` which record it touches; `begun` names a file that is
    there once it has begun."""

    do = Text(load_default="succeed")
    key = Reference(load_default=None)
    seconds = Number(load_default=0)
    times = WholeNumber(load_default=1)
    waits_for = Text(load_default=None)
    begun = Text(load_default=None)
    payload = fields.Raw(load_default=None)


def behave(item: Item, context: Context) -> Outcome:
    """Do as the item asks. Effects go to the record `<key>` of the collection `probe`."""
    do = item.data["do"]
    if item.data["begun"]:
        Path(item.data["begun"]).touch()
    if seconds := float(item.data["seconds"]):
        time.sleep(seconds)
    if do == "reject":
        raise Reject("rejected as asked", code=418)
    if do == "raise":
        raise ValueError("raised as asked")
    if do == "retry" and item.attempt <= item.data["times"]:
        raise Retry(f"try {item.attempt} was too early", after=0.2)
    if do == "flaky" and item.attempt <= item.data["times"]:
        raise RuntimeError(f"try {item.attempt} failed")
    if do == "sql":
        context.connection.execute(text("SELECT 1 / 0"))
    if do == "bad-result":
        return Outcome(object())
    return Outcome(item.data["payload"])


def log_effect(item: Item, context: Context) -> None:
    """Append the item to its key's record: shows how often and in which order it took effect."""
    key = str(item.data["key"] if item.data["key"] is not None else item.index)
    seen = context.records.get("probe", [key], lock=True).get(key, [])
    context.records.upsert("probe", [(key, [*seen, item.index])])


@operation("test.probe", schema=ProbeSchema, key=("key",), max_attempts=3, backoff_seconds=0.1)
def probe(item: Item, context: Context) -> Outcome:
    """An item at a time, effects in the database."""
    log_effect(item, context)
    return behave(item, context)


@operation(
    "test.bulk", schema=ProbeSchema, key=("key",), bulk=True, max_attempts=3, backoff_seconds=0.1
)
def bulk(items: list[Item], context: Context) -> list[Outcome | Reject | Retry]:
    """Many at a time; problems are answers, but for those that break the whole call."""
    answers: list[Outcome | Reject | Retry] = []
    for item in items:
        log_effect(item, context)
        try:
            answers.append(behave(item, context))
        except (Reject, Retry) as problem:
            answers.append(problem)
    return answers


@operation(
    "test.outside",
    schema=ProbeSchema,
    key=("key",),
    in_database=False,
    max_attempts=3,
    backoff_seconds=0.1,
    timeout_seconds=30,
)
def outside(item: Item, context: Context) -> Outcome:
    """Effects outside of the database."""
    return behave(item, context)


@operation(
    "test.slow",
    schema=ProbeSchema,
    key=("key",),
    in_database=False,
    queue="slow",
    max_attempts=3,
    timeout_seconds=30,
)
def slow(item: Item, context: Context) -> Outcome:
    """Effects outside of the database, run on threads."""
    return behave(item, context)


@operation("test.chain", schema=ProbeSchema, key=("key",))
def chain(item: Item, context: Context) -> Outcome:
    """Waits until the record `waits_for` exists."""
    waits_for = item.data["waits_for"]
    if waits_for and not context.records.get("chain", [waits_for]):
        raise Defer(f"{waits_for} is not there", code=404)
    context.records.upsert("chain", [(str(item.data["key"]), {"index": item.index})])
    return Outcome()


@operation("test.poison", schema=ProbeSchema, key=("key",), slice_items=20, timeout_seconds=1)
def poison(item: Item, context: Context) -> Outcome:
    """Ends, or hangs, the process that tries it."""
    do = item.data["do"]
    if do == "segfault":
        ctypes.string_at(0)
    if do == "exit":
        os._exit(3)
    if do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if do == "memory":
        bytearray(64 * 1024**3)
    if do == "hang":
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True:
            pass
    log_effect(item, context)
    return Outcome()
