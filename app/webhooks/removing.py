"""Removing a webhook with its deliveries, which may be many: a part at a time.

Whoever ends a batch of the client's keeps its webhooks from being removed meanwhile (`recording`),
so it would wait for as long as that takes, and others for it. So the webhook is disabled first,
which nobody waits for, and only its row and what little is left go together.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, Engine

from app.audit.recording import record
from app.db import transaction
from app.db.statements.webhooks import (
    BEGIN_REMOVAL,
    DELETE_SOME_DELIVERIES,
    DELETE_WEBHOOK,
)
from app.webhooks.registering import get_webhook

AT_ONCE = 5000
"""Deliveries that one transaction removes: some tens of milliseconds."""
REASON = "it is being removed"


def remove_webhook(engine: Engine, client_id: UUID, webhook_id: UUID) -> None:
    """Remove a webhook of the client's and its deliveries: nothing more is sent. Raises NotFound.

    One transaction where they are few. Where it ends in the middle, the webhook is disabled, and
    is removed by asking again; the audit has one row.
    """
    with transaction(engine) as connection:
        this = {"id": webhook_id, "client_id": client_id}
        if connection.execute(BEGIN_REMOVAL, {**this, "reason": REASON}).rowcount:
            record(
                connection, "webhook.delete", client_id=client_id, detail={"webhookId": webhook_id}
            )
        else:
            get_webhook(connection, client_id, webhook_id)  # which raises where there is none
        over = _remove_some(connection, this)
    while not over:
        with transaction(engine) as connection:
            over = _remove_some(connection, this)


def _remove_some(connection: Connection, this: dict[str, UUID]) -> bool:
    """Remove some deliveries, with the last ones the webhook; whether it is gone."""
    asked = {"id": this["id"], "at_once": AT_ONCE}
    if connection.execute(DELETE_SOME_DELIVERIES, asked).rowcount == AT_ONCE:
        return False
    connection.execute(DELETE_WEBHOOK, this)
    return True
