"""The statements on `webhooks`."""

from __future__ import annotations

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from app.db.statements.webhook_deliveries import due

_SHOWN = "id, url, events, created_at, disabled_at, disabled_reason, previous_until"

# A new webhook.
INSERT_WEBHOOK = text(
    f"""
    INSERT INTO webhooks (id, client_id, url, events, secret)
    VALUES (:id, :client_id, :url, :events, :secret)
    RETURNING {_SHOWN}
    """
).bindparams(bindparam("events", type_=ARRAY(Text)))

# How many a client has, which is limited: by ix_webhooks_client_id_id.
COUNT_WEBHOOKS = text("SELECT count(*) FROM webhooks WHERE client_id = :client_id")

# A page of a client's webhooks, the newest first; those made before `before`, or from the newest on
# where it is null: by ix_webhooks_client_id_id, in its order.
LIST_WEBHOOKS = text(
    f"""
    SELECT {_SHOWN} FROM webhooks
    WHERE client_id = :client_id AND (CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid))
    ORDER BY id DESC LIMIT :limit
    """
)

# One of a client's webhooks: by pk_webhooks, as are those that change one.
FIND_WEBHOOK = text(f"SELECT {_SHOWN} FROM webhooks WHERE id = :id AND client_id = :client_id")

# Disables one that is to be removed, unless that has been begun.
BEGIN_REMOVAL = text(
    """
    UPDATE webhooks SET disabled_at = coalesce(disabled_at, now()), disabled_reason = :reason
    WHERE id = :id AND client_id = :client_id AND disabled_reason IS DISTINCT FROM :reason
    """
)

# Removes so many of one's deliveries: by ix_webhook_deliveries_webhook_id_id.
DELETE_SOME_DELIVERIES = text(
    """
    DELETE FROM webhook_deliveries WHERE id IN (
        SELECT id FROM webhook_deliveries WHERE webhook_id = :id LIMIT :at_once)
    """
)

# Removes one, and what there is of its deliveries with it.
DELETE_WEBHOOK = text("DELETE FROM webhooks WHERE id = :id AND client_id = :client_id")

# Gives one a new secret; the one before signs beside it for some hours.
ROTATE_SECRET = text(
    f"""
    UPDATE webhooks SET previous_secret = secret, secret = :secret,
        previous_until = now() + make_interval(hours => :hours)
    WHERE id = :id AND client_id = :client_id
    RETURNING {_SHOWN}
    """
)

# The client's webhooks that want an event, kept from being removed before the end of the
# transaction: by ix_webhooks_client_id_id.
LOCK_LISTENING = text(
    """
    SELECT id FROM webhooks
    WHERE client_id = :client_id AND disabled_at IS NULL AND :event = ANY(events)
    FOR KEY SHARE
    """
)

# One of a client's webhooks, kept from being removed before the end of the transaction: by
# pk_webhooks.
LOCK_WEBHOOK = text(
    f"SELECT {_SHOWN} FROM webhooks WHERE id = :id AND client_id = :client_id FOR KEY SHARE"
)

# Those of all clients that want an event which is no client's own, in their order, so that two who
# ask do not wait crosswise. One look at the table, of some for each client; when a breaker moves.
LOCK_ALL_LISTENING = text(
    """
    SELECT w.id FROM webhooks w JOIN clients c ON c.id = w.client_id
    WHERE w.disabled_at IS NULL AND c.revoked_at IS NULL AND :event = ANY(w.events)
    ORDER BY w.id FOR KEY SHARE OF w
    """
)

# Sends nothing more to a webhook, and ends what was still to be sent: by pk_webhooks and
# ix_webhook_deliveries_due.
DISABLE_WEBHOOK = text(
    """
    WITH disabled AS (
        UPDATE webhooks SET disabled_at = now(), disabled_reason = :reason
        WHERE id = :webhook_id AND disabled_at IS NULL
    )
    UPDATE webhook_deliveries SET status = 'FAILED', next_at = NULL, finished_at = now(),
        claim = NULL, claimed_until = NULL, error = 'the webhook is disabled'
    WHERE webhook_id = :webhook_id AND status = 'PENDING'
    """
)

# The webhooks that something is due for, each at most once in `call_again` seconds, as a worker
# that was called lately sends all that is due. One look at the backlog, by
# ix_webhook_deliveries_due.
CALL_WEBHOOKS = text(
    f"""
    UPDATE webhooks SET called_at = now()
    WHERE id IN (
        SELECT id FROM webhooks
        WHERE disabled_at IS NULL
          AND (called_at IS NULL OR called_at < now() - make_interval(secs => :call_again))
          AND id IN (SELECT d.webhook_id FROM webhook_deliveries d WHERE {due("d")})
        FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id
    """
)

# The called worker is done: by pk_webhooks.
FORGET_CALL = text(
    "UPDATE webhooks SET called_at = NULL WHERE id = :webhook_id AND called_at IS NOT NULL"
)
