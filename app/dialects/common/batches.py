"""A batch by the id that its dialect gave, how many there are, and where a page begins."""

from __future__ import annotations

from uuid import UUID

import marshmallow as ma
from sqlalchemy import Connection

from app.batches.batch_view import BatchView
from app.batches.copying import storable
from app.batches.queries import find_batch_by_reference
from app.core.errors import NotFound
from app.db import read
from app.dialects.common.statements import COUNT_BATCHES, FIND_BATCH_ID
from app.web.auth import caller
from app.web.services import services

_LARGEST = 2**31 - 1


def find(dialect: str, reference: str) -> BatchView:
    """The caller's batch with that id. Raises NotFound: unknown, malformed, or another client's."""
    if not storable(reference):
        raise _none(reference)
    client_id = caller().client_id
    return read(
        services().engine,
        lambda connection: find_batch_by_reference(connection, client_id, dialect, reference),
    )


def id_of(connection: Connection, dialect: str, reference: str) -> UUID:
    """Just the id of the caller's batch: for calls that are made very often. Raises NotFound."""
    if not storable(reference):
        raise _none(reference)
    batch_id: UUID | None = connection.execute(
        FIND_BATCH_ID,
        {"client_id": caller().client_id, "dialect": dialect, "reference": reference},
    ).scalar_one_or_none()
    if batch_id is None:
        raise _none(reference)
    return batch_id


def count(connection: Connection, dialect: str) -> int:
    """How many batches of that dialect the caller has."""
    counted = connection.execute(
        COUNT_BATCHES, {"client_id": caller().client_id, "dialect": dialect}
    )
    return int(counted.scalar_one())


def whole_number(*, default: int, low: int, high: int = _LARGEST, says: str) -> ma.fields.Integer:
    """A whole number in a query, `low` to `high`; `says` describes it."""
    return ma.fields.Integer(
        load_default=default,
        validate=ma.validate.Range(low, high),
        metadata={"description": says},
    )


def _none(reference: str) -> NotFound:
    return NotFound(f"There is no batch {reference!r}.")
