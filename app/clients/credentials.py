"""Clients and their credentials: made, found by what a request carries, rotated, revoked."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine

from app.core.errors import FieldError, Invalid, NotFound
from app.core.ids import new_id
from app.db import transaction
from app.db.statements.clients import (
    FIND_CALLER,
    INSERT_CLIENT,
    LIST_CLIENTS,
    REVOKE_CLIENT,
    UPDATE_SECRET,
)

SCOPES = (
    "batches.read",
    "batches.write",
    "webhooks.manage",
    "supplier/batch.read",
    "supplier/bulk.read",
)


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A client with its secret in clear, which exists only in the answer that made it."""

    client_id: UUID
    api_key: str
    secret: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request: a known, unrevoked client."""

    client_id: UUID
    name: str
    api_key: str
    scopes: frozenset[str]


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
    """Make a client. `scopes`: None for every scope. Raises Invalid on an unknown scope."""
    granted = tuple(SCOPES if scopes is None else dict.fromkeys(scopes))
    unknown = [scope for scope in granted if scope not in SCOPES]
    if unknown:
        raise Invalid(
            f"Unknown scope {unknown[0]!r}; there are {', '.join(SCOPES)}.",
            errors=[FieldError("/scopes", f"Unknown scope {scope!r}.") for scope in unknown],
        )
    if not name.strip():
        raise Invalid("A client needs a name.", errors=[FieldError("/name", "Must not be empty.")])
    made = ClientSecret(new_id(), _new_api_key(), _new_secret(), granted)
    with transaction(engine) as connection:
        connection.execute(
            INSERT_CLIENT,
            {
                "id": made.client_id,
                "name": name,
                "api_key": made.api_key,
                "secret_hash": hash_secret(made.secret),
                "scopes": list(granted),
            },
        )
    return made


def rotate_client(engine: Engine, client_id: UUID) -> ClientSecret:
    """Give the client a new secret; the old one no longer works."""
    secret = _new_secret()
    with transaction(engine) as connection:
        row = connection.execute(
            UPDATE_SECRET, {"id": client_id, "secret_hash": hash_secret(secret)}
        ).one_or_none()
    if row is None:
        raise NotFound(f"There is no active client {client_id}.")
    return ClientSecret(client_id, row.api_key, secret, tuple(row.scopes))


def revoke_client(engine: Engine, client_id: UUID) -> None:
    """Refuse the client from now on. Its batches stay, and those accepted go on."""
    with transaction(engine) as connection:
        found = connection.execute(REVOKE_CLIENT, {"id": client_id}).rowcount
    if not found:
        raise NotFound(f"There is no active client {client_id}.")


def list_clients(engine: Engine) -> list[ClientEntry]:
    """All clients, oldest first, the revoked ones too."""
    with transaction(engine) as connection:
        rows = connection.execute(LIST_CLIENTS).all()
    return [
        ClientEntry(
            row.id, row.name, row.api_key, tuple(row.scopes), row.created_at, row.revoked_at
        )
        for row in rows
    ]


def find_caller(connection: Connection, secret: str) -> Caller | None:
    """The unrevoked client with that secret, or None."""
    return find_caller_by_hash(connection, hash_secret(secret))


def find_caller_by_hash(connection: Connection, secret_hash: str) -> Caller | None:
    """The unrevoked client whose secret has that hash, or None."""
    row = connection.execute(FIND_CALLER, {"secret_hash": secret_hash}).one_or_none()
    if row is None:
        return None
    return Caller(row.id, row.name, row.api_key, frozenset(row.scopes))


def hash_secret(secret: str) -> str:
    """The hash under which a secret is kept.

    A plain SHA-256 is enough: the secrets are 256 random bits, so there is nothing to guess.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _new_secret() -> str:
    return f"bls_{secrets.token_urlsafe(32)}"


def _new_api_key() -> str:
    return f"blk_{secrets.token_hex(12)}"
