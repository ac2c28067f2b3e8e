"""Operations whose items do to their worker, or to their transaction, what none should."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from marshmallow import Schema
from sqlalchemy import text

from handlers import Context, Item, Outcome, operation
from handlers.fields import Text


class CaseSchema(Schema):
    """`kind`: what the item's handler does beside its effect."""

    id = Text(required=True)
    kind = Text(load_default="ok")


def do(item: Item, context: Context) -> Outcome:
    """What its kind says."""
    match item.data["kind"]:
        case "cancelled":
            raise asyncio.CancelledError
        case "exits":
            raise SystemExit(3)
        case "swallowed":
            with suppress(Exception):
                context.connection.execute(text("SELECT 1 / 0"))
    return Outcome({"tries": item.attempt})


@operation("case.db", schema=CaseSchema, key=("id",), collection="case", backoff_seconds=0.1)
def in_database(item: Item, context: Context) -> Outcome:
    """An item at a time, effects in the database."""
    context.records.upsert("case", [(item.data["id"], item.index)])
    return do(item, context)


@operation(
    "case.bulk", schema=CaseSchema, key=("id",), collection="case", bulk=True, backoff_seconds=0.1
)
def bulk(items: list[Item], context: Context) -> list[Outcome]:
    """Many at a time, effects in the database."""
    return [in_database(item, context) for item in items]


@operation("case.away", schema=CaseSchema, key=("id",), in_database=False, backoff_seconds=0.1)
def away(item: Item, context: Context) -> Outcome:
    """Effects elsewhere, in a process."""
    return do(item, context)


@operation(
    "case.slow",
    schema=CaseSchema,
    key=("id",),
    in_database=False,
    queue="slow",
    slice_items=20,
    backoff_seconds=0.1,
)
def slow(item: Item, context: Context) -> Outcome:
    """Effects elsewhere, on threads."""
    return do(item, context)
