"""A module of handlers that no worker of the tests has."""

from __future__ import annotations

from marshmallow import Schema

from handlers import Context, Item, Outcome, operation


class NothingSchema(Schema):
    """An empty item."""


@operation("doctor.only_here", schema=NothingSchema)
def only_here(item: Item, context: Context) -> Outcome:
    """Nothing."""
    return Outcome()
