"""How many messages wait in each queue."""

from __future__ import annotations

from typing import Any

from kombu import Connection

from app.messaging.broker import QUEUES


def queue_depths(connection: Connection) -> dict[str, int]:
    """Messages that no worker has taken yet, by queue. Raises what the broker's library raises."""
    channel: Any = connection.default_channel
    # Declared as the workers declare it: asked passively, Redis has no empty queues.
    return {
        name: channel.queue_declare(
            queue=name, durable=True, exclusive=False, auto_delete=False
        ).message_count
        for name in QUEUES
    }
