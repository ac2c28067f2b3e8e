"""The statements on `webhook_deliveries`."""

from __future__ import annotations

from sqlalchemy import text

_SHOWN = """
    id, batch_id, event, status, attempts, created_at, tried_at, next_at, finished_at,
    answer_status, answer_body, error, seconds
"""


def due(delivery: str) -> str:
    """The condition that a delivery is due and not being sent. `delivery`: its alias.

    It is the condition of ix_webhook_deliveries_due, and more.
    """
    return (
        f"{delivery}.status = 'PENDING' AND {delivery}.next_at <= now() "
        f"AND ({delivery}.claimed_until IS NULL OR {delivery}.claimed_until <= now())"
    )


# A delivery for each webhook that is to be told of an event, all in one statement.
INSERT_DELIVERIES = text(
    """
    INSERT INTO webhook_deliveries (id, webhook_id, batch_id, event, body)
    SELECT u.id, u.webhook_id, :batch_id, :event, :body
    FROM unnest(CAST(:ids AS uuid[]), CAST(:webhook_ids AS uuid[])) AS u (id, webhook_id)
    """
)

# A page of a webhook's deliveries, the newest first; those before `before`, or from the newest on
# where it is null: by ix_webhook_deliveries_webhook_id_id, in its order.
LIST_DELIVERIES = text(
    f"""
    SELECT {_SHOWN} FROM webhook_deliveries
    WHERE webhook_id = :webhook_id
      AND (CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid))
    ORDER BY id DESC LIMIT :limit
    """
)

# Sends a delivery again, with its backoff from the beginning: by pk_webhook_deliveries.
RESEND_DELIVERY = text(
    f"""
    UPDATE webhook_deliveries SET status = 'PENDING', step = 0, next_at = now(), finished_at = NULL
    WHERE id = :id AND webhook_id = :webhook_id
    RETURNING {_SHOWN}
    """
)

# Removes deliveries that ended long ago, not too many at once, so that the sweep that calls this
# stays short: by ix_webhook_deliveries_finished_at.
DELETE_OLD = text(
    """
    DELETE FROM webhook_deliveries WHERE id IN (
        SELECT id FROM webhook_deliveries
        WHERE finished_at < now() - make_interval(days => :days)
        LIMIT :at_once FOR UPDATE SKIP LOCKED)
    """
)

# Of the :webhooks webhooks behind :after (null: the first ones): removes the oldest deliveries past
# each one's part of the :most that a client's webhooks have together, at most :at_once of each. By
# pk_webhooks, ix_webhooks_client_id_id and ix_webhook_deliveries_webhook_id_id. `last`: the last of
# these webhooks.
TRIM_DELIVERIES = text(
    """
    WITH visited AS MATERIALIZED (
        SELECT w.id, :most / (SELECT count(*) FROM webhooks o WHERE o.client_id = w.client_id)
            AS part
        FROM webhooks w WHERE CAST(:after AS uuid) IS NULL OR w.id > CAST(:after AS uuid)
        ORDER BY w.id LIMIT :webhooks
    ), surplus AS MATERIALIZED (
        SELECT old.id FROM visited v CROSS JOIN LATERAL (
            SELECT d.id FROM webhook_deliveries d WHERE d.webhook_id = v.id
            ORDER BY d.id DESC OFFSET v.part LIMIT :at_once) old
    ), removed AS (
        DELETE FROM webhook_deliveries WHERE id IN (
            SELECT d.id FROM webhook_deliveries d WHERE d.id IN (SELECT id FROM surplus)
            FOR UPDATE SKIP LOCKED)
        RETURNING id
    )
    SELECT (SELECT id FROM visited ORDER BY id DESC LIMIT 1) AS last,
           (SELECT count(*) FROM removed) AS removed
    """
)

# How many deliveries are to be sent, and for how many seconds the longest one is overdue: the whole
# of ix_webhook_deliveries_due, which holds the backlog and nothing else.
COUNT_PENDING = text(
    """
    SELECT count(*) AS number,
           coalesce(extract(epoch FROM now() - min(d.next_at)), 0) AS overdue
    FROM webhook_deliveries d
    JOIN webhooks w ON w.id = d.webhook_id JOIN clients c ON c.id = w.client_id
    WHERE d.status = 'PENDING' AND w.disabled_at IS NULL AND c.revoked_at IS NULL
    """
)
