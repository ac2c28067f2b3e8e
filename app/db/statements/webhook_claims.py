"""The statements by which deliveries are claimed, and what became of a claim is written."""

from __future__ import annotations

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from app.db.statements.webhook_deliveries import due

# The webhooks that have something to be sent, now or later, one after the other by
# ix_webhook_deliveries_due: as many steps as there are such webhooks, however long their backlogs.
_WAITING = """
    waiting AS (
        (SELECT d.webhook_id FROM webhook_deliveries d WHERE d.status = 'PENDING'
         ORDER BY d.webhook_id LIMIT 1)
        UNION ALL
        SELECT (SELECT d.webhook_id FROM webhook_deliveries d
                WHERE d.status = 'PENDING' AND d.webhook_id > v.webhook_id
                ORDER BY d.webhook_id LIMIT 1)
        FROM waiting v WHERE v.webhook_id IS NOT NULL
    )
"""
# Of those the ones that may be sent something.
_OPEN = """
    waiting v JOIN webhooks w ON w.id = v.webhook_id AND w.disabled_at IS NULL
    JOIN clients c ON c.id = w.client_id AND c.revoked_at IS NULL
"""

# Claims up to `most` deliveries, of each client so many that it has `of_client` under way, those
# first whose client has least. Two statements in one round trip, so that the second one counts what
# whoever had the lock before has claimed; together they are one transaction. What somebody else has
# locked (a webhook is being removed) is passed over. `busy` is by ix_webhook_deliveries_claim.
CLAIM_DELIVERIES = text(
    f"""
    SELECT pg_advisory_xact_lock(72031120);
    WITH RECURSIVE {_WAITING}, busy AS (
        SELECT w.client_id, count(*) AS number
        FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id
        WHERE d.claim IS NOT NULL AND d.claimed_until > now() GROUP BY w.client_id
    ), ready AS (
        SELECT f.id, f.next_at,
               coalesce(b.number, 0) + row_number() OVER (
                   PARTITION BY w.client_id ORDER BY f.next_at, f.id) AS place
        FROM {_OPEN} LEFT JOIN busy b ON b.client_id = w.client_id
        CROSS JOIN LATERAL (
            SELECT d.id, d.next_at FROM webhook_deliveries d
            WHERE d.webhook_id = w.id AND {due("d")}
            ORDER BY d.next_at LIMIT :of_client) f
        WHERE coalesce(b.number, 0) < :of_client
    ), chosen AS (
        SELECT d.id FROM webhook_deliveries d JOIN (
            SELECT id, place, next_at FROM ready WHERE place <= :of_client
            ORDER BY place, next_at, id LIMIT :most) r ON r.id = d.id
        ORDER BY r.place, r.next_at, r.id FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE webhook_deliveries d SET claim = :claim,
        claimed_until = now() + make_interval(secs => :lease)
    FROM webhooks w WHERE d.id IN (SELECT id FROM chosen) AND w.id = d.webhook_id
    RETURNING d.id, d.webhook_id, w.client_id, d.event, d.body, d.step, w.url, w.secret,
        CASE WHEN w.previous_until > now() THEN w.previous_secret END AS previous
    """
)

# Whether anything is due that may be sent. As above, and as quick.
IS_ANY_DUE = text(
    f"""
    WITH RECURSIVE {_WAITING}
    SELECT EXISTS (
        SELECT FROM {_OPEN}
        WHERE EXISTS (SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id AND {due("d")}))
    """
)

# What came of a try, if the claim is still ours: by pk_webhook_deliveries.
WRITE_ANSWER = text(
    """
    UPDATE webhook_deliveries SET status = :status, attempts = attempts + 1, step = step + 1,
        next_at = CASE WHEN :status = 'PENDING' THEN now() + make_interval(secs => :wait) END,
        finished_at = CASE WHEN :status <> 'PENDING' THEN now() END,
        claim = NULL, claimed_until = NULL, tried_at = now(), answer_status = :answer_status,
        answer_body = :answer_body, error = :error, seconds = :seconds
    WHERE id = :id AND claim = :claim
    """
)

# Gives claims back, so far as they are still ours: by pk_webhook_deliveries.
RELEASE_DELIVERIES = text(
    """
    UPDATE webhook_deliveries d SET claim = NULL, claimed_until = NULL
    FROM unnest(CAST(:ids AS uuid[]), CAST(:claims AS uuid[])) AS u (id, claim)
    WHERE d.id = u.id AND d.claim = u.claim
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)), bindparam("claims", type_=ARRAY(Uuid)))

# Ends what will not be sent, as its client has been revoked; not too much at once. What is under
# way ends by itself. By ix_webhook_deliveries_due, for the webhooks of revoked clients.
END_REVOKED = text(
    f"""
    WITH RECURSIVE {_WAITING}
    UPDATE webhook_deliveries SET status = 'FAILED', next_at = NULL, finished_at = now(),
        claim = NULL, claimed_until = NULL, error = 'the client has been revoked'
    WHERE id IN (
        SELECT d.id FROM waiting v JOIN webhooks w ON w.id = v.webhook_id
        JOIN clients c ON c.id = w.client_id AND c.revoked_at IS NOT NULL
        JOIN webhook_deliveries d ON d.webhook_id = w.id AND d.status = 'PENDING'
        WHERE d.claim IS NULL OR d.claimed_until <= now()
        LIMIT 1000 FOR UPDATE OF d SKIP LOCKED)
    """
)
