"""Notifying other processes: those that watch a batch, and those that send webhook deliveries.

Over Redis pub/sub, which keeps nothing and promises nothing. A notification only says "look now",
or "it has ended: wait no longer"; what has changed is in the rows, which watchers read from time to
time anyway. So one that is lost makes the next look later, and no more.

A change is told by the batch's id, an end by the id and a byte more. An end is told in both forms,
for web processes of the release before, which pass over the longer one. That there are deliveries
to be sent is told without saying which.
"""

from __future__ import annotations

from uuid import UUID

from redis import Redis

CHANNEL = "batchline:batches"
DELIVERIES_CHANNEL = "batchline:deliveries"
_ENDED = b"\x01"


def notify(redis: Redis, batch_id: UUID) -> None:
    """Publish that the batch has changed (into a pipeline, if `redis` is one)."""
    redis.publish(CHANNEL, batch_id.bytes)


def notify_of_end(redis: Redis, batch_id: UUID) -> None:
    """Publish that the batch has ended, as `notify`."""
    redis.publish(CHANNEL, batch_id.bytes + _ENDED)
    notify(redis, batch_id)


def notified(message: bytes) -> tuple[UUID, bool] | None:
    """The batch that a notification names, and whether it says that it has ended.

    None where it is not one of ours.
    """
    if len(message) == 16:
        return UUID(bytes=message), False
    if len(message) == 17 and message.endswith(_ENDED):
        return UUID(bytes=message[:16]), True
    return None


def notify_senders(redis: Redis) -> int:
    """Publish that a webhook delivery is due, as `notify`; how many processes heard it.

    Nothing is lost with it: the sweep looks for what is due.
    """
    heard = redis.publish(DELIVERIES_CHANNEL, b"")
    return heard if isinstance(heard, int) else 0
