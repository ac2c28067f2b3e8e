"""Keys of a client: each a credential of its own, which may do less than the client.

The first is made with its client (`app.clients.credentials.create_client`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine

from app.audit.recording import record
from app.clients.checks import checked_name, checked_scopes, client_id_of
from app.clients.credentials import ClientSecret, hash_secret, new_api_key, new_secret
from app.clients.limits import networks_of, patterns_of
from app.core.errors import FieldError, Invalid, NotFound
from app.core.ids import new_id
from app.db import read, transaction
from app.db.statements.clients import FIND_CLIENT
from app.db.statements.keys import INSERT_KEY, LIST_KEYS, REVOKE_KEY


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key as `keys list` shows it: everything but its secret."""

    key_id: UUID
    name: str | None
    api_key: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    operations: tuple[str, ...]
    first: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @property
    def place(self) -> UUID:
        """Where it stands among its client's keys: what sorts as they are listed."""
        return UUID(int=0) if self.first else self.key_id


def create_key(
    engine: Engine,
    client_id: UUID,
    *,
    name: str | None = None,
    scopes: Iterable[str] | None = None,
    expires: timedelta | None = None,
    networks: Iterable[str] = (),
    operations: Iterable[str] = (),
) -> ClientSecret:
    """Make a further key of the client.

    `scopes`: None for every scope but `admin`. `expires`: after how long, None for never.
    `networks`: addresses and CIDRs that it may be used from, `operations`: patterns of what it may
    submit; none: anything. Raises Invalid for values that cannot be, and NotFound where the client
    is not there or revoked.
    """
    granted = checked_scopes(scopes)
    if name is not None:
        checked_name(name)
    if expires is not None and expires <= timedelta():
        raise Invalid(
            "A key cannot have expired when it is made.",
            errors=[FieldError("/expires", "Must be above 0s.")],
        )
    key_id, api_key, secret = new_id(), new_api_key(), new_secret()
    values = {
        "id": key_id,
        "client_id": client_id,
        "name": name,
        "api_key": api_key,
        "secret_hash": hash_secret(secret),
        "scopes": list(granted),
        "networks": list(networks_of(networks)),
        "operations": list(patterns_of(operations)),
        "seconds": None if expires is None else expires.total_seconds(),
    }
    with transaction(engine) as connection:
        made = connection.execute(INSERT_KEY, values).one_or_none()
        if made is None:
            raise NotFound(f"There is no active client {client_id}.")
        told = ("name", "scopes", "networks", "operations")
        detail = {**{each: values[each] for each in told}, "expiresAt": made.expires_at}
        record(connection, "key.create", client_id=client_id, detail={"keyId": key_id, **detail})
    return ClientSecret(client_id, api_key, secret, granted, key_id, made.expires_at)


def list_keys(
    engine: Engine, client_id: UUID, *, after: UUID | None = None, limit: int | None = None
) -> list[KeyEntry]:
    """The client's keys, the first one first, those that ended too.

    At most `limit` of those behind the one with the `place` `after`; all unless said.
    """
    asked = {"client_id": client_id, "after": after, "limit": limit}
    rows = read(engine, lambda connection: connection.execute(LIST_KEYS, asked).all())
    return [
        KeyEntry(
            key_id=row.id,
            name=row.name,
            api_key=row.api_key,
            scopes=tuple(row.scopes),
            networks=tuple(row.networks),
            operations=tuple(row.operations),
            first=row.first,
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
        )
        for row in rows
    ]


def revoke_key(engine: Engine, key_id: UUID, *, client_id: UUID | None = None) -> None:
    """Refuse the key from now on. `client_id`: only if it is that client's.

    Raises NotFound where there is no such key, or it is revoked already.
    """
    with transaction(engine) as connection:
        found = connection.execute(REVOKE_KEY, {"key_id": key_id, "client_id": client_id}).first()
        if found is None:
            raise NotFound(f"There is no active key {key_id}.")
        record(connection, "key.revoke", client_id=found.client_id, detail={"keyId": key_id})


def find_client(engine: Engine, name_or_id: str) -> UUID:
    """The client of that id or name, one that is not revoked before others. Raises NotFound."""
    asked = {"id": client_id_of(name_or_id), "name": name_or_id}
    found = None
    if name_or_id.isprintable():  # what Postgres has no text for is nobody's name either
        found = read(engine, lambda connection: connection.execute(FIND_CLIENT, asked).first())
    if found is None:
        raise NotFound(f"There is no client {name_or_id!r}.")
    client_id: UUID = found.id
    return client_id
