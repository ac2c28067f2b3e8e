"""A webhook of a client's own, and what may be done with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.db import transaction
from app.webhooks.addresses import Policy
from app.webhooks.claiming import Claimed, claim_due
from app.webhooks.delivering import attempt
from app.webhooks.delivery_log import DeliveryEntry, list_deliveries
from app.webhooks.recording import BATCH_FINISHED, record, wants
from app.webhooks.registering import create_webhook
from app.webhooks.removing import remove_webhook

ANYWHERE = Policy(private=True, show_answers=True)


def _unheard(outcome: str) -> None:
    """Of another test's webhook."""


class Hooked:
    """A webhook of a client's own, and what may be done with it."""

    def __init__(self, engine: Engine, client: ClientSecret, url: str) -> None:
        self.engine = engine
        self.client_id = client.client_id
        with transaction(engine) as connection:
            entry, self.secret = create_webhook(
                connection, client.client_id, url, [BATCH_FINISHED], policy=Policy(private=True)
            )
        self.id = entry.id

    def remove(self) -> None:
        """Remove the webhook, with what is still to be sent."""
        remove_webhook(self.engine, self.client_id, self.id)

    def record(self, count: int = 1, **data: Any) -> None:
        with transaction(self.engine) as connection:
            for _ in range(count):
                record(
                    connection,
                    wants(connection, self.client_id, BATCH_FINISHED),
                    BATCH_FINISHED,
                    at=datetime.now(UTC),
                    data=data,
                    batch_id=uuid4(),
                )

    def deliver(self, noted: Callable[[str], None] = lambda _: None) -> int:
        """Send what is due, one after the other; how many tries were made for this webhook."""
        tries = 0
        while claimed := claim_due(self.engine, 1):
            own = claimed[0].webhook_id == self.id
            attempt(self.engine, claimed[0], allowed=ANYWHERE, noted=noted if own else _unheard)
            tries += own
        return tries

    def claim(self) -> list[Claimed]:
        """Claim what is due, of whichever webhook; what is this one's."""
        return [one for one in claim_due(self.engine, 1000) if one.webhook_id == self.id]

    def log(self) -> list[DeliveryEntry]:
        with transaction(self.engine) as connection:
            return list_deliveries(connection, self.client_id, self.id, limit=100)

    def make_due(self) -> None:
        self.run("UPDATE webhook_deliveries SET next_at = now() WHERE status = 'PENDING'")

    def run(self, statement: str) -> None:
        with transaction(self.engine) as connection:
            connection.execute(
                text(statement.replace("WHERE", "WHERE webhook_id = :id AND")), {"id": self.id}
            )
