"""Movements of stock: `shop.movement` adds to what a warehouse has of an article, or takes away.

The rows are this package's own (`migrations/`). They change in the transaction that also writes
what became of each item, so a movement happens exactly once, whatever dies meanwhile.
"""

from __future__ import annotations

from marshmallow import Schema, validate

from batchline import Context, Item, Outcome, Reject, operation
from batchline.fields import Reference, WholeNumber
from shop.statements import LOCK_PLACES, OPEN_PLACES, WRITE_STOCK

LARGEST = 1_000_000_000


class MovementSchema(Schema):
    """`change`: below 0 for what leaves the warehouse."""

    sku = Reference(required=True)
    warehouse = Reference(required=True)
    change = WholeNumber(required=True, validate=validate.Range(-LARGEST, LARGEST))


@operation(
    "shop.movement",
    schema=MovementSchema,
    # Movements of one article in one warehouse are made in order, and never side by side.
    key=("sku", "warehouse"),
    bulk=True,
    examples=({"sku": "A1", "warehouse": "north", "change": 5},),
)
def move(items: list[Item], context: Context) -> list[Outcome | Reject]:
    """Add to, or take from, what a warehouse has of an article."""
    # The keys of a call's items are distinct. Whatever their number, these are three statements.
    places = {
        "client": context.client_id,
        "skus": [item.data["sku"] for item in items],
        "warehouses": [item.data["warehouse"] for item in items],
    }
    context.connection.execute(OPEN_PLACES, places)
    locked = context.connection.execute(LOCK_PLACES, places)
    there: dict[tuple[str, str], int] = {(row.sku, row.warehouse): row.pieces for row in locked}
    answers: list[Outcome | Reject] = []
    after: dict[tuple[str, str], int] = {}
    for item in items:
        place = (item.data["sku"], item.data["warehouse"])
        pieces = there[place] + item.data["change"]
        if pieces < 0:
            answers.append(Reject(f"There are only {there[place]}", code=409))
        else:
            after[place] = pieces
            answers.append(Outcome({"pieces": pieces}))
    if after:
        context.connection.execute(
            WRITE_STOCK,
            {
                "client": context.client_id,
                "skus": [sku for sku, _ in after],
                "warehouses": [warehouse for _, warehouse in after],
                "pieces": list(after.values()),
            },
        )
    return answers
