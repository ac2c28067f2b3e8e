"""Webhooks in the workers: sending what is due, and finding webhooks that no task was sent for."""

from __future__ import annotations

import time
from uuid import UUID

from app.db import transaction
from app.events.listeners import listener
from app.webhooks.claiming import call_due
from app.webhooks.delivering import deliver
from app.webhooks.delivery_log import KEPT_DAYS, forget_old
from app.webhooks.network import checker
from workers.engine.runtime import Runtime

# Seconds between two looks for deliveries that are too old to keep.
_FORGET_EVERY = 60.0
_forgot_at = 0.0


def send_due(runtime: Runtime, webhook_id: UUID) -> int:
    """Send what is due for the webhook; how many tries were made."""
    return deliver(
        runtime.engine,
        webhook_id,
        allowed=checker(allow_private=runtime.settings.webhook_allow_private),
        stopping=runtime.stopping.is_set,
        noted=lambda outcome: listener().webhook_tried(outcome),
    )


def find_due(runtime: Runtime) -> list[UUID]:
    """The webhooks that something is due for and that no task is on its way for. For the sweep."""
    global _forgot_at
    with transaction(runtime.engine) as connection:
        due = call_due(connection)
        if time.monotonic() - _forgot_at > _FORGET_EVERY:
            _forgot_at = time.monotonic()
            forget_old(connection, days=runtime.settings.retention_days or KEPT_DAYS)
    return due
