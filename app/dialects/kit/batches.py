"""A batch by the id that its dialect gave, its items, and where a page of them begins."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from sqlalchemy import Connection

from app.api.auth import caller
from app.batches.copying import storable
from app.batches.queries import ItemView, find_batch_by_reference, list_items
from app.batches.summary import BatchView
from app.db import transaction
from app.errors import NotFound
from app.services import services

_LARGEST = 2**31 - 1


def find(dialect: str, reference: str) -> BatchView:
    """The caller's batch with that id. Raises NotFound: unknown, malformed, or another client's."""
    with transaction(services().engine) as connection:
        return find_in(connection, dialect, reference)


def find_in(connection: Connection, dialect: str, reference: str) -> BatchView:
    """`find`, inside a transaction that somebody else owns."""
    if not storable(reference):
        raise NotFound(f"There is no batch {reference!r}.")
    return find_batch_by_reference(connection, caller().client_id, dialect, reference)


def items_from(batch: BatchView, first: int, most: int) -> list[ItemView]:
    """At most `most` items of the caller's batch, from index `first` on."""
    with transaction(services().engine) as connection:
        return list_items(connection, caller().client_id, batch.id, after=first - 1, limit=most)


def whole_number(
    *, default: int, low: int, high: int = _LARGEST, says: str, **options: Any
) -> ma.fields.Integer:
    """A whole number in a query, `low` to `high`; `says` describes it."""
    return ma.fields.Integer(
        load_default=default,
        validate=ma.validate.Range(low, high),
        metadata={"description": says},
        **options,
    )
