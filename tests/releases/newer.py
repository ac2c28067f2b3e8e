"""Handlers that only the newer release has."""

from __future__ import annotations

import os
import time

from marshmallow import Schema

from handlers import Context, Item, Outcome, operation
from handlers.fields import Number, Text, WholeNumber

COLLECTION = "newer"


class NewerSchema(Schema):
    """`n` is the key; what was done to it is kept in its record, in order."""

    n = WholeNumber(required=True)
    note = Text(load_default="x")
    seconds = Number(load_default=0)


@operation("newer.note", schema=NewerSchema, key=("n",), collection=COLLECTION)
def note(item: Item, context: Context) -> Outcome:
    """Add the note to the record."""
    seen = context.records.get(COLLECTION, [item.key or ""], lock=True).get(item.key or "", [])
    context.records.upsert(COLLECTION, [(item.key or "", [*seen, item.data["note"]])])
    return Outcome({"pid": os.getpid()})


@operation("newer.wait", schema=NewerSchema, queue="slow", in_database=False)
def wait(item: Item, context: Context) -> Outcome:
    """Take a while, as a network would."""
    time.sleep(float(item.data["seconds"]))
    return Outcome()
