"""The statements on `clients`."""

from __future__ import annotations

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

# A new client.
INSERT_CLIENT = text(
    """
    INSERT INTO clients (id, name, api_key, secret_hash, scopes)
    VALUES (:id, :name, :api_key, :secret_hash, :scopes)
    """
).bindparams(bindparam("scopes", type_=ARRAY(Text)))

# Another secret for a client that has not been revoked: by pk_clients.
UPDATE_SECRET = text(
    """
    UPDATE clients SET secret_hash = :secret_hash WHERE id = :id AND revoked_at IS NULL
    RETURNING api_key, scopes
    """
)

# Refuse a client from now on: by pk_clients.
REVOKE_CLIENT = text("UPDATE clients SET revoked_at = now() WHERE id = :id AND revoked_at IS NULL")

# All clients, for the operator: the whole table, which is small.
LIST_CLIENTS = text(
    """
    SELECT id, name, api_key, scopes, created_at, revoked_at FROM clients
    ORDER BY created_at, id
    """
)

# Who makes a request: by uq_clients_secret_hash.
FIND_CALLER = text(
    """
    SELECT id, name, api_key, scopes FROM clients
    WHERE secret_hash = :secret_hash AND revoked_at IS NULL
    """
)
