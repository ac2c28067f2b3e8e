"""Calling those who watch a batch: something of it has changed.

Over Redis pub/sub, which keeps nothing and promises nothing. A call only says "look now"; what
has changed is in the rows, which everybody who watches looks at from time to time anyway. So a
call that is lost makes the next look later, and no more.
"""

from __future__ import annotations

from uuid import UUID

from redis import Redis

CHANNEL = "batchline:batches"


def call(redis: Redis, batch_id: UUID) -> None:
    """Publish that the batch has changed (into a pipeline, if `redis` is one)."""
    redis.publish(CHANNEL, batch_id.bytes)


def called(message: bytes) -> UUID | None:
    """The batch that a message names, or None where it is not one of ours."""
    return UUID(bytes=message) if len(message) == 16 else None
