"""Operations that say what time it is where they run."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from marshmallow import Schema

from handlers import Context, Item, Outcome, Retry, operation
from handlers.fields import Number, WholeNumber


class ClockSchema(Schema):
    """`seconds`: how long to take. `times`: how often to ask for another try, `after` seconds."""

    seconds = Number(load_default=0)
    times = WholeNumber(load_default=0)
    after = Number(load_default=0)


def look(item: Item, context: Context) -> Outcome:
    """The Unix time here, in both ways in which Python says it."""
    time.sleep(float(item.data["seconds"]))
    if item.attempt <= item.data["times"]:
        raise Retry("not yet", after=float(item.data["after"]))
    return Outcome([time.time(), datetime.now(UTC).timestamp()])


operation("clock.fast", schema=ClockSchema, slice_items=5, max_attempts=5)(look)
operation(
    "clock.slow", schema=ClockSchema, in_database=False, queue="slow", slice_items=5, max_attempts=5
)(look)
operation("clock.paced", schema=ClockSchema, rate_limit=20.0, slice_items=2)(look)
