"""The statements on `keys` and `key_secrets`."""

from __future__ import annotations

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import DateTime, Text

# What says who calls: of `s`, a secret, `k`, its key, and `c`, its client.
CALLER = """
    k.id AS key_id, k.name AS key_name, k.api_key, k.scopes, k.networks, k.operations,
    k.expires_at, c.id AS client_id, c.name AS client_name, c.quotas,
    extract(epoch FROM least(k.expires_at, s.until) - clock_timestamp()) AS seconds_left
"""

# Who makes a request: the key with that secret, its client, and for how many seconds the secret is
# good yet (null: no end). By pk_key_secrets, pk_keys and pk_clients.
FIND_CALLER = text(
    f"""
    SELECT {CALLER}
    FROM key_secrets s
    JOIN keys k ON k.id = s.key_id
    JOIN clients c ON c.id = k.client_id
    WHERE s.secret_hash = :secret_hash AND k.revoked_at IS NULL AND c.revoked_at IS NULL
    """
)

# A further key of a client that has not been revoked, with its secret: by pk_clients.
INSERT_KEY = text(
    """
    WITH made AS (
        INSERT INTO keys (id, client_id, name, api_key, scopes, networks, operations, expires_at)
        SELECT :id, c.id, :name, :api_key, :scopes, :networks, :operations,
               now() + make_interval(secs => :seconds)
        FROM clients c WHERE c.id = :client_id AND c.revoked_at IS NULL
        RETURNING id, expires_at
    ), filled AS (
        INSERT INTO key_secrets (secret_hash, key_id) SELECT :secret_hash, id FROM made
    )
    SELECT expires_at FROM made
    """
).bindparams(
    bindparam("scopes", type_=ARRAY(Text)),
    bindparam("networks", type_=ARRAY(Text)),
    bindparam("operations", type_=ARRAY(Text)),
)

_SHOWN = """
    id, name, api_key, scopes, networks, operations, first, created_at, expires_at, revoked_at
"""

# A client's keys in the order that they were made in, the first of them first, those that ended
# too: all of them, or :limit of those behind the key `after`. By uq_keys_first and
# ix_keys_client_id_id. An id made by Postgres does not sort by time, so the key marked as first is
# put there; a page behind it has the id that is below all others as `after`.
LIST_KEYS = text(
    f"""
    SELECT * FROM (
        SELECT {_SHOWN} FROM keys
        WHERE client_id = :client_id AND first AND CAST(:after AS uuid) IS NULL
        UNION ALL
        (SELECT {_SHOWN} FROM keys
         WHERE client_id = :client_id AND NOT first
           AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid))
         ORDER BY id LIMIT :limit)
    ) found ORDER BY first DESC, id LIMIT :limit
    """
)

# Refuses a key from now on. If it is its client's first one, the release before, which knows it by
# its client, is given a hash that no secret has. By pk_keys and pk_clients.
REVOKE_KEY = text(
    """
    WITH revoked AS (
        UPDATE keys SET revoked_at = now()
        WHERE id = :key_id AND revoked_at IS NULL
          AND client_id = coalesce(CAST(:client_id AS uuid), client_id)
        RETURNING id, client_id, first
    ), closed AS (
        UPDATE clients c SET secret_hash = 'revoked ' || r.id
        FROM revoked r WHERE c.id = r.client_id AND r.first
    )
    SELECT client_id FROM revoked
    """
)

# The key that `clients create` made, of a client that has not been revoked; the client is locked
# until the end of the transaction, so that it is given one secret after the other. By pk_clients
# and uq_keys_first.
LOCK_FIRST_KEY = text(
    """
    SELECT k.id, k.api_key, k.scopes FROM clients c JOIN keys k ON k.client_id = c.id AND k.first
    WHERE c.id = :client_id AND c.revoked_at IS NULL AND k.revoked_at IS NULL
    FOR NO KEY UPDATE OF c
    """
)

# The secrets of a key that are good yet: by ix_key_secrets_key_id.
LIST_SECRETS = text(
    """
    SELECT secret_hash, until FROM key_secrets
    WHERE key_id = :key_id AND (until IS NULL OR until > now())
    """
)

# A secret that was rotated goes on for a while, but no longer than it would have.
KEEP_SECRET = text(
    """
    INSERT INTO key_secrets (secret_hash, key_id, until)
    VALUES (:secret_hash, :key_id, least(:until, now() + make_interval(secs => :seconds)))
    """
).bindparams(bindparam("until", type_=DateTime(timezone=True)))
