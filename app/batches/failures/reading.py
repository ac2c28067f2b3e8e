"""Failures as they are shown: a batch's, or those of all of a client's batches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.batches.queries import batch_operation
from app.db.statements.failure_lists import (
    ClientFailureRow,
    FailureRow,
    select_client_failures,
    select_failures,
)
from app.db.statements.rows import rows_of

Position = tuple[int, str]
"""Where a page ended: the count and the failure of its last entry."""


@dataclass(frozen=True, slots=True)
class ClientFailureFilter:
    """Which of a client's failures. `since` (aware): those that happened then or later."""

    operation: str | None = None
    since: datetime | None = None


def list_failures(
    connection: Connection,
    client_id: UUID,
    batch_id: UUID,
    *,
    after: Position | None = None,
    limit: int,
) -> list[FailureRow]:
    """At most `limit` failures of the client's batch, most frequent first, behind `after`.

    Raises NotFound for the batch.
    """
    batch_operation(connection, client_id, batch_id)
    return rows_of(
        FailureRow,
        connection.execute(
            select_failures(after=after is not None),
            {"batch_id": batch_id, "limit": limit, **_position(after)},
        ),
    )


def list_client_failures(
    connection: Connection,
    client_id: UUID | None,
    which: ClientFailureFilter,
    *,
    after: Position | None = None,
    limit: int,
) -> list[ClientFailureRow]:
    """At most `limit` failures over all of the client's batches, or everybody's; as above."""
    asked = {
        "client_id": client_id,
        "operation": which.operation,
        "since": which.since,
        **_position(after),
    }
    given = {name: value for name, value in asked.items() if value is not None}
    statement = select_client_failures(frozenset(given))
    return rows_of(
        ClientFailureRow,
        connection.execute(statement, {**given, "limit": limit}),
    )


def _position(after: Position | None) -> dict[str, object]:
    return {} if after is None else {"count": after[0], "failure": after[1]}
