"""The statements on `idempotency_keys`. Those of one request go by pk_idempotency_keys."""

from __future__ import annotations

from sqlalchemy import JSON, bindparam, text

# How long an answer is remembered.
REMEMBERED_HOURS = 24
# How long a claim lasts. Longer than a body may pause, and than one waits to be stored (30 s in
# line, 30 s for a place, of which nobody tells it), but no longer: if the web process died with the
# request, its caller is told for this time that it is still being carried out.
CLAIM_SECONDS = 90

_EXPIRED = f"""
    (k.status IS NULL AND k.created_at < now() - interval '{CLAIM_SECONDS} seconds'
     OR k.created_at < now() - interval '{REMEMBERED_HOURS} hours')
"""
_OURS = "client_id = :client_id AND key = :key AND claim = :claim AND status IS NULL"

# Takes a key that is free, or whose claim or answer has expired. No row: it is taken.
CLAIM_KEY = text(
    f"""
    INSERT INTO idempotency_keys AS k (client_id, key, claim) VALUES (:client_id, :key, :claim)
    ON CONFLICT (client_id, key) DO UPDATE
    SET claim = excluded.claim, created_at = now(), fingerprint = NULL, status = NULL,
        headers = NULL, body = NULL
    WHERE {_EXPIRED}
    RETURNING claim
    """
)

# What came of a key; without a status the first request is still in flight.
FIND_ANSWER = text(
    """
    SELECT fingerprint, status, headers, body FROM idempotency_keys
    WHERE client_id = :client_id AND key = :key
    """
)

# Says that the request which holds the key is still at work.
TOUCH_CLAIM = text(f"UPDATE idempotency_keys SET created_at = now() WHERE {_OURS}")

# Gives the key back.
RELEASE_CLAIM = text(f"DELETE FROM idempotency_keys WHERE {_OURS}")

# Remembers the answer, if the claim is still ours.
KEEP_ANSWER = text(
    f"""
    UPDATE idempotency_keys SET fingerprint = :fingerprint, status = :status, headers = :headers,
        body = :body, created_at = now()
    WHERE {_OURS}
    """
).bindparams(bindparam("headers", type_=JSON))

# Removes what is remembered no longer, so many at once. By ix_idempotency_keys_created_at; a key
# that a request is using just then is passed over. A claim that a crash left goes with them, after
# that time too, since whoever uses its key takes it (CLAIM_KEY).
DELETE_EXPIRED = text(
    f"""
    DELETE FROM idempotency_keys AS k
    USING (SELECT client_id, key FROM idempotency_keys
           WHERE created_at < now() - interval '{REMEMBERED_HOURS} hours'
           ORDER BY created_at LIMIT :at_once FOR UPDATE SKIP LOCKED) AS old
    WHERE k.client_id = old.client_id AND k.key = old.key
    """
)
