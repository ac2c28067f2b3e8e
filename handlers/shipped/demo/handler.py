"""An operation for trying things out and for load tests."""

from __future__ import annotations

import random
import time

from marshmallow import Schema, validate

from handlers.contract import Context, Item, Outcome, Reject
from handlers.fields import Number
from handlers.registry import operation


class SleepSchema(Schema):
    """How long to wait, and how often to fail."""

    seconds = Number(load_default=0, validate=validate.Range(min=0, max=3600))
    fail = Number(load_default=0, validate=validate.Range(min=0, max=1))


@operation(
    "demo.sleep",
    schema=SleepSchema,
    in_database=False,
    max_attempts=1,
    timeout_seconds=3700,  # the longest wait, and some
    queue="slow",  # it waits, as network work does, and should not keep a process from working
    slice_items=1,
)
def sleep(item: Item, context: Context) -> Outcome:  # noqa: ARG001 (the handler's signature)
    """Wait for `seconds`, then fail with probability `fail`; tried once. For load tests."""
    time.sleep(float(item.data["seconds"]))
    if random.random() < item.data["fail"]:  # noqa: S311 (a dice, not a secret)
        raise Reject("Failed, as its fail rate asked", code=500)
    return Outcome({"slept": item.data["seconds"]})
