"""The statements on `clients`."""

from __future__ import annotations

from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

# A new client. A trigger makes its first key (app/db/models/key.py).
INSERT_CLIENT = text(
    """
    INSERT INTO clients (id, name, api_key, secret_hash, scopes)
    VALUES (:id, :name, :api_key, :secret_hash, :scopes)
    """
).bindparams(bindparam("scopes", type_=ARRAY(Text)))

# The key that was made with a client: by uq_keys_first.
SELECT_FIRST_KEY = text("SELECT id FROM keys WHERE client_id = :client_id AND first")

# What clients are called: by pk_clients.
SELECT_NAMES = text("SELECT id, name FROM clients WHERE id = ANY(:ids)").bindparams(
    bindparam("ids", type_=ARRAY(Uuid()))
)

# Another secret for a client's first key; a trigger removes those before. By pk_clients.
UPDATE_SECRET = text("UPDATE clients SET secret_hash = :secret_hash WHERE id = :client_id")

# Refuse a client from now on: by pk_clients.
REVOKE_CLIENT = text("UPDATE clients SET revoked_at = now() WHERE id = :id AND revoked_at IS NULL")

# Another name, for a client that has not been revoked: by pk_clients.
RENAME_CLIENT = text(
    "UPDATE clients SET name = :name WHERE id = :client_id AND revoked_at IS NULL RETURNING id"
)

# A page of the clients, the newest first; those made before `before`, or from the newest on where
# it is null: by pk_clients, in its order.
LIST_CLIENT_PAGE = text(
    """
    SELECT id, name, api_key, scopes, created_at, revoked_at FROM clients
    WHERE CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid)
    ORDER BY id DESC LIMIT :limit
    """
)

# One client: by pk_clients.
SELECT_CLIENT = text(
    """
    SELECT id, name, api_key, scopes, created_at, revoked_at FROM clients WHERE id = :client_id
    """
)

# All clients, for the operator: the whole table, which is small.
LIST_CLIENTS = text(
    """
    SELECT id, name, api_key, scopes, created_at, revoked_at FROM clients
    ORDER BY created_at, id
    """
)

# The client of a name or an id, one that has not been revoked before others that had its name; the
# whole table, as the name of one that was revoked is in no index.
FIND_CLIENT = text(
    """
    SELECT id, name, revoked_at FROM clients
    WHERE id = CAST(:id AS uuid) OR name = :name
    ORDER BY id = CAST(:id AS uuid) DESC NULLS LAST, revoked_at DESC NULLS FIRST
    LIMIT 1
    """
)
