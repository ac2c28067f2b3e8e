"""Clients as an admin looks at them, and by what name."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from app.audit.recording import record
from app.clients.checks import checked_name, name_taken
from app.clients.credentials import ClientEntry, entry_of
from app.core.errors import NotFound
from app.db import read, transaction
from app.db.statements.clients import LIST_CLIENT_PAGE, RENAME_CLIENT, SELECT_CLIENT


def list_client_page(engine: Engine, *, before: UUID | None, limit: int) -> list[ClientEntry]:
    """At most `limit` clients, newest first, made before the client `before`, revoked ones too."""
    asked = {"before": before, "limit": limit}
    rows = read(engine, lambda connection: connection.execute(LIST_CLIENT_PAGE, asked).all())
    return [entry_of(row) for row in rows]


def get_client(engine: Engine, client_id: UUID) -> ClientEntry:
    """One client, revoked or not. Raises NotFound."""
    asked = {"client_id": client_id}
    row = read(engine, lambda connection: connection.execute(SELECT_CLIENT, asked).one_or_none())
    if row is None:
        raise NotFound(f"There is no client {client_id}.")
    return entry_of(row)


def rename_client(engine: Engine, client_id: UUID, name: str) -> None:
    """Call the client otherwise.

    Raises Invalid for a name that cannot be one or is taken, and NotFound where the client is not
    there or revoked.
    """
    asked = {"client_id": client_id, "name": checked_name(name)}
    try:
        with transaction(engine) as connection:
            if connection.execute(RENAME_CLIENT, asked).one_or_none() is None:
                raise NotFound(f"There is no active client {client_id}.")
            record(connection, "client.rename", client_id=client_id, detail={"name": name})
    except IntegrityError as error:
        raise name_taken(name, error) from error
