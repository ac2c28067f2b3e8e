"""Searching for batches by whatever somebody remembers of one."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection

from app.batches.batch_view import BatchView
from app.batches.queries import BatchFilter, find_batches, list_batches
from app.clients.checks import client_id_of


def search_batches(
    connection: Connection, client_id: UUID | None, text: str, *, limit: int
) -> list[BatchView]:
    """At most `limit` of the client's batches: the one with that id or reference first.

    Then those in whose name, id, reference or metadata it stands, newest first, of the newest that
    a list looks at; the latest for an empty text. `client_id`: None for every client's.
    """
    found: list[BatchView] = []
    if (batch_id := client_id_of(text)) is not None:
        found += find_batches([batch_id], connection).values()
    if text and client_id is not None:
        by_reference = BatchFilter(reference=text)
        found += list_batches(connection, client_id, by_reference, limit=limit)[0]
    found += list_batches(connection, client_id, BatchFilter(words=text or None), limit=limit)[0]
    own = {each.id: each for each in found if client_id in (None, each.client_id)}
    return list(own.values())[:limit]
