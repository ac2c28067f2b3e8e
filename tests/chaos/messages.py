"""The messages that wait in the broker, in a fault's hands: doubled, held back, lost.

Whatever these do, a broker that is away (another fault may have just ended it) makes them do
nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

import amqp
import redis

from app.messaging.broker import QUEUES

Held = list[tuple[str, Any]]
_NOT_THERE = (redis.RedisError, amqp.AMQPError, OSError)


class Messages(Protocol):
    """What waits in a broker's queues."""

    def take(self, most: int) -> Held:
        """Take up to `most` messages out of each queue."""

    def put(self, held: Held) -> None:
        """Put messages into their queues."""

    def lose(self) -> None:
        """Remove everything that waits."""


class RedisMessages:
    """Lists, one a queue, and what their consumers have not acknowledged."""

    def __init__(self, url: str) -> None:
        self._redis: Any = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)

    def close(self) -> None:
        """No connection is left open."""
        self._redis.close()

    def take(self, most: int) -> Held:
        """Those that have waited longest."""
        held: Held = []
        with contextlib.suppress(*_NOT_THERE):
            for queue in QUEUES:
                held += [(queue, message) for message in self._redis.rpop(queue, most) or []]
        return held

    def put(self, held: Held) -> None:
        """Behind those that wait."""
        with contextlib.suppress(*_NOT_THERE):
            for queue, message in held:
                self._redis.lpush(queue, message)

    def lose(self) -> None:
        """With those that are not acknowledged: they will not come again."""
        with contextlib.suppress(*_NOT_THERE):
            self._redis.delete(*QUEUES, "unacked", "unacked_index")


class RabbitMessages:
    """Queues of a RabbitMQ, by AMQP itself."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)

    def take(self, most: int) -> Held:
        """Those that have waited longest. They are acknowledged: the broker forgets them."""
        held: Held = []
        with contextlib.suppress(*_NOT_THERE), self.channel() as channel:
            for queue in QUEUES:
                for _ in range(most):
                    message = channel.basic_get(queue, no_ack=True)
                    if message is None:
                        break
                    held.append((queue, message))
        return held

    def put(self, held: Held) -> None:
        """Behind those that wait."""
        with contextlib.suppress(*_NOT_THERE), self.channel() as channel:
            for queue, message in held:
                channel.basic_publish_confirm(
                    amqp.Message(message.body, **message.properties),
                    routing_key=queue,
                    confirm_timeout=5,
                )

    def lose(self) -> None:
        """Purge the queues. What a consumer has in its hands stays there."""
        with contextlib.suppress(*_NOT_THERE), self.channel() as channel:
            for queue in QUEUES:
                channel.queue_purge(queue)

    def delete_queues(self) -> None:
        """Delete the queues themselves, with what their consumers have in their hands."""
        with contextlib.suppress(*_NOT_THERE), self.channel() as channel:
            for queue in QUEUES:
                channel.queue_delete(queue)

    @contextlib.contextmanager
    def channel(self) -> Iterator[Any]:
        """A channel of its own connection."""
        address: Any = self._address
        with (
            amqp.Connection(
                f"{address.hostname}:{address.port}",
                address.username,
                address.password,
                connect_timeout=5,
                read_timeout=5,
                write_timeout=5,
            ) as connection,
        ):
            channel: Any = connection.channel()
            with channel:
                yield channel
