"""Clients: made, rotated, revoked; and who calls, found by the secret that a request carries.

A client's credentials are its keys (app/clients/keys.py). The first is made with it, and is the one
that is rotated here.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import IntegrityError

from app.audit.recording import record
from app.clients.checks import ADMIN, checked_name, checked_scopes, name_taken
from app.clients.limits import Network, contains, fits
from app.clients.quotas import NO_QUOTAS, Quotas
from app.core.errors import NotFound
from app.core.ids import new_id
from app.db import transaction
from app.db.statements.clients import (
    INSERT_CLIENT,
    LIST_CLIENTS,
    REVOKE_CLIENT,
    SELECT_FIRST_KEY,
    UPDATE_SECRET,
)
from app.db.statements.keys import FIND_CALLER, KEEP_SECRET, LIST_SECRETS, LOCK_FIRST_KEY


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A key of a client with its secret in clear, which exists only in the answer that made it."""

    client_id: UUID
    api_key: str
    secret: str
    scopes: tuple[str, ...]
    key_id: UUID
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request: a known, unrevoked client, by one of its keys.

    `name`: the client's. `networks`: whence the key may be used, `operations`: patterns of what it
    may submit; empty: anything. `expires_at`: of the key. Whether it is still good is judged by
    whoever finds it (`app.clients.recent_callers`). `quotas`: the client's.
    """

    client_id: UUID
    name: str
    api_key: str
    scopes: frozenset[str]
    key_id: UUID
    key_name: str | None = None
    networks: tuple[Network, ...] = ()
    operations: tuple[str, ...] = ()
    expires_at: datetime | None = None
    quotas: Quotas = NO_QUOTAS

    @property
    def is_admin(self) -> bool:
        """Whether every client's batches may be read and steered."""
        return ADMIN in self.scopes

    def may_call_from(self, address: str | None) -> bool:
        """Whether the key may be used from there. None: from where is not known."""
        return not self.networks or contains(self.networks, address)

    def may_submit(self, operation: str) -> bool:
        """Whether the key may submit and append items of the operation."""
        return not self.operations or fits(self.operations, operation)


@dataclass(frozen=True, slots=True)
class ClientEntry:
    """A client as `clients list` shows it."""

    client_id: UUID
    name: str
    api_key: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


def create_client(engine: Engine, name: str, scopes: Iterable[str] | None = None) -> ClientSecret:
    """Make a client with its first key. `scopes`: None for every scope but `admin`.

    Raises Invalid on an unknown scope, and for a name that cannot be one or is taken.
    """
    granted = checked_scopes(scopes)
    client_id, api_key, secret = new_id(), new_api_key(), new_secret()
    values = {
        "id": client_id,
        "name": checked_name(name),
        "api_key": api_key,
        "secret_hash": hash_secret(secret),
        "scopes": list(granted),
    }
    try:
        with transaction(engine) as connection:
            connection.execute(INSERT_CLIENT, values)
            key_id = connection.execute(SELECT_FIRST_KEY, {"client_id": client_id}).scalar_one()
            record(
                connection,
                "client.create",
                client_id=client_id,
                detail={"name": name, "keyId": key_id, "scopes": granted},
            )
    except IntegrityError as error:
        raise name_taken(name, error) from error
    return ClientSecret(client_id, api_key, secret, granted, key_id)


def rotate_client(
    engine: Engine, client_id: UUID, *, overlap: timedelta = timedelta()
) -> ClientSecret:
    """Give the client's first key a new secret; those before go on for `overlap`, and no longer.

    Processes of the release before know the new one only. Raises NotFound where the client or that
    key is revoked or not there.
    """
    secret = new_secret()
    with transaction(engine) as connection:
        key = connection.execute(LOCK_FIRST_KEY, {"client_id": client_id}).one_or_none()
        if key is None:
            raise NotFound(f"There is no active client {client_id}, or its first key is revoked.")
        before = connection.execute(LIST_SECRETS, {"key_id": key.id}).all() if overlap else ()
        connection.execute(
            UPDATE_SECRET, {"client_id": client_id, "secret_hash": hash_secret(secret)}
        )
        for each in before:
            connection.execute(
                KEEP_SECRET,
                {
                    "secret_hash": each.secret_hash,
                    "key_id": key.id,
                    "until": each.until,
                    "seconds": overlap.total_seconds(),
                },
            )
        record(
            connection,
            "client.rotate",
            client_id=client_id,
            detail={"keyId": key.id, "overlapSeconds": int(overlap.total_seconds())},
        )
    return ClientSecret(client_id, key.api_key, secret, tuple(key.scopes), key.id)


def revoke_client(engine: Engine, client_id: UUID) -> None:
    """Refuse the client, by any of its keys, from now on. Batches that were accepted go on."""
    with transaction(engine) as connection:
        if not connection.execute(REVOKE_CLIENT, {"id": client_id}).rowcount:
            raise NotFound(f"There is no active client {client_id}.")
        record(connection, "client.revoke", client_id=client_id)


def list_clients(engine: Engine) -> list[ClientEntry]:
    """All clients, oldest first, the revoked ones too."""
    with transaction(engine) as connection:
        rows = connection.execute(LIST_CLIENTS).all()
    return [entry_of(row) for row in rows]


def entry_of(row: Any) -> ClientEntry:
    """The client of a row that names these columns."""
    return ClientEntry(
        row.id, row.name, row.api_key, tuple(row.scopes), row.created_at, row.revoked_at
    )


def find_caller(connection: Connection, secret: str) -> Caller | None:
    """Who calls with that secret; None where it is unknown, revoked or expired."""
    found = find_caller_by_hash(connection, hash_secret(secret))
    return None if found is None else found[0]


def find_caller_by_hash(
    connection: Connection, secret_hash: str, defaults: Quotas = NO_QUOTAS
) -> tuple[Caller, float | None] | None:
    """Who calls with a secret of that hash, and for how many seconds it is good yet (None: no end).

    `defaults`: quotas of clients for which none was set. None where it is unknown, revoked or
    expired. One statement.
    """
    return caller_of(
        connection.execute(FIND_CALLER, {"secret_hash": secret_hash}).one_or_none(), defaults
    )


def caller_of(
    row: Row[Any] | None, defaults: Quotas = NO_QUOTAS
) -> tuple[Caller, float | None] | None:
    """The same of a row with the columns `CALLER` (app/db/statements/keys.py)."""
    if row is None:
        return None
    left = None if row.seconds_left is None else float(row.seconds_left)
    if left is not None and left <= 0:
        return None
    caller = Caller(
        client_id=row.client_id,
        name=row.client_name,
        api_key=row.api_key,
        scopes=frozenset(row.scopes),
        key_id=row.key_id,
        key_name=row.key_name,
        networks=_networks(tuple(row.networks)),
        operations=tuple(row.operations),
        expires_at=row.expires_at,
        quotas=defaults.of(row.client_id, row.quotas),
    )
    return caller, left


def hash_secret(secret: str) -> str:
    """The hash under which a secret is kept.

    A plain SHA-256 is enough: the secrets are 256 random bits, so there is nothing to guess.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def new_secret() -> str:
    """A secret that nobody has."""
    return f"bls_{secrets.token_urlsafe(32)}"


def new_api_key() -> str:
    """The public half of a key."""
    return f"blk_{secrets.token_hex(12)}"


@lru_cache(maxsize=1024)
def _networks(kept: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(map(ip_network, kept))
