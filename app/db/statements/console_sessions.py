"""Sessions of the console: a row each, from a sign-in to its end."""

from __future__ import annotations

from sqlalchemy import text

from app.db.statements.keys import CALLER

# A session, which ends :seconds from now. By the primary key.
INSERT_SESSION = text(
    """
    INSERT INTO console_sessions (token_hash, key_id, secret_hash, expires_at)
    VALUES (:token_hash, :key_id, :secret_hash, now() + make_interval(secs => :seconds))
    """
)

# Who is signed in, as long as the secret that they did it with, its key and its client are good. By
# the primary keys.
FIND_SIGNED_IN = text(
    f"""
    SELECT {CALLER}
    FROM console_sessions o
    JOIN key_secrets s ON s.secret_hash = o.secret_hash
    JOIN keys k ON k.id = s.key_id
    JOIN clients c ON c.id = k.client_id
    WHERE o.token_hash = :token_hash AND o.expires_at > now() AND k.revoked_at IS NULL
      AND c.revoked_at IS NULL
    """
)

# By the primary key.
DELETE_SESSION = text("DELETE FROM console_sessions WHERE token_hash = :token_hash")

# Those whose time is over, at most :at_once: by ix_console_sessions_expires_at.
DELETE_EXPIRED_SESSIONS = text(
    """
    DELETE FROM console_sessions WHERE token_hash IN (
        SELECT token_hash FROM console_sessions WHERE expires_at <= now()
        ORDER BY expires_at LIMIT :at_once FOR UPDATE SKIP LOCKED)
    """
)

# Whose a secret is, also where it is no longer good: for the audit of those who are refused. By
# pk_key_secrets and pk_keys.
FIND_OWNER_OF_SECRET = text(
    """
    SELECT k.client_id, k.id AS key_id, k.name AS key_name
    FROM key_secrets s JOIN keys k ON k.id = s.key_id WHERE s.secret_hash = :secret_hash
    """
)
