"""Whose batch a request is about: the caller's, or with `admin` anybody's.

Everything that reads or changes a batch does so for one client, and finds no other's. What an admin
reads and steers is done for the batch's owner, which costs a statement more, and only admins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.batches.batch_view import BatchView
from app.batches.serializers import batch_body, batch_body_of_client
from app.batches.waiting import as_it_waits
from app.core.errors import Forbidden
from app.db import read
from app.db.statements.batches import SELECT_OWNER
from app.db.statements.clients import SELECT_NAMES
from app.web.auth import caller
from app.web.services import services


def owner_of(batch_id: UUID) -> UUID:
    """The client as whom the caller may look for the batch: its owner for an admin, else itself.

    Where there is no such batch it is the caller, who does not find it.
    """
    who = caller()
    if not who.is_admin:
        return who.client_id
    found: UUID | None = read(
        services().engine,
        lambda connection: connection.execute(SELECT_OWNER, {"batch_id": batch_id}).scalar(),
    )
    return who.client_id if found is None else found


def client_of(query: Mapping[str, Any]) -> UUID | None:
    """Whose things a list is of: the caller's, or for an admin `client`'s; None for everybody's.

    Raises Forbidden where `client` is asked for by others.
    """
    who = caller()
    if who.is_admin:
        return query.get("client")
    if "client" in query:
        raise Forbidden("`client` needs the scope admin, which the key does not have.")
    return who.client_id


class Bodies:
    """How the caller sees batches: whether they wait for a worker, and an admin whose they are.

    Made while a request is answered, it may be used behind that, by a stream. `connection`: one to
    ask over, where the caller has one.
    """

    def __init__(self, batches: Iterable[BatchView], connection: Connection | None = None) -> None:
        self._known = services().registry
        self._names: dict[UUID, str] | None = None
        if caller().is_admin:
            self._names = client_names({batch.client_id for batch in batches}, connection)

    def __call__(self, batch: BatchView) -> object:
        """The body of one of the batches, or of another of their clients."""
        batch = as_it_waits(batch, self._known)
        if self._names is None:
            return batch_body(batch)
        return batch_body_of_client(batch, self._names.get(batch.client_id, ""))


def as_they_wait(batches: Iterable[BatchView]) -> list[BatchView]:
    """The same, of which those wait for a worker that none takes up."""
    known = services().registry
    return [as_it_waits(batch, known) for batch in batches]


def client_names(ids: Iterable[UUID], connection: Connection | None = None) -> dict[UUID, str]:
    """What these clients are called, where the caller is an admin; nothing for others.

    `connection`: one to ask over, where the caller has one. Its own name costs no statement.
    """
    who = caller()
    if not who.is_admin:
        return {}
    names = {who.client_id: who.name}
    if missing := list(set(ids) - names.keys()):
        names.update(_names(missing, connection))
    return dict(sorted(names.items()))


def _names(client_ids: list[UUID], connection: Connection | None) -> dict[UUID, str]:
    def look(over: Connection) -> dict[UUID, str]:
        rows: Any = over.execute(SELECT_NAMES, {"ids": client_ids})
        return {row.id: row.name for row in rows}

    return look(connection) if connection is not None else read(services().engine, look)
