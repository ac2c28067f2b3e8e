"""Where webhooks may go, by the settings."""

from __future__ import annotations

from app.core.settings import Settings
from app.webhooks.addresses import Policy


def policy_of(settings: Settings) -> Policy:
    """What the operator allows."""
    return Policy(
        private=settings.webhook_allow_private,
        listed=settings.webhook_allow,
        show_answers=settings.webhook_show_bodies,
    )
