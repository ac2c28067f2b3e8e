"""Notifying the processes that watch a batch: something of it has changed.

Over Redis pub/sub, which keeps nothing and promises nothing. A notification only says "look now";
what has changed is in the rows, which watchers read from time to time anyway. So one that is lost
makes the next look later, and no more.
"""

from __future__ import annotations

from uuid import UUID

from redis import Redis

CHANNEL = "batchline:batches"


def notify(redis: Redis, batch_id: UUID) -> None:
    """Publish that the batch has changed (into a pipeline, if `redis` is one)."""
    redis.publish(CHANNEL, batch_id.bytes)


def notified(message: bytes) -> UUID | None:
    """The batch that a notification names, or None where it is not one of ours."""
    return UUID(bytes=message) if len(message) == 16 else None
