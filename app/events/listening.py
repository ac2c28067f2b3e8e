"""The loop of a thread that receives notifications: of batches, or of webhook deliveries."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import structlog
from redis import Redis, RedisError
from redis.client import PubSub

log = structlog.get_logger(__name__)

# Seconds: the pause after an error.
_AFTER_TROUBLE = 1.0


class Ear(Protocol):
    """Who listens."""

    def goes_on(self) -> bool:
        """Whether to listen any longer."""

    def begin(self) -> None:
        """From now on everything is heard; what was told before was not."""

    def hear(self, message: bytes) -> None:
        """Take a notification in."""

    def end(self) -> None:
        """Nothing is heard, for now."""


def listen(redis: Redis, ear: Ear, channel: str, *, patience: float = 1.0) -> None:
    """Let `ear` hear what is told there until it does not go on.

    `patience`: seconds that one wait lasts, after which it is asked whether it goes on. A Redis
    that is away is tried again every second.
    """
    subscription: Callable[..., PubSub] = redis.pubsub
    while ear.goes_on():
        try:
            with subscription() as calls:
                calls.subscribe(channel)
                while ear.goes_on():
                    message = calls.get_message(timeout=patience)
                    if message is None:
                        continue
                    if message["type"] == "message":
                        ear.hear(message["data"])
                    else:
                        # It is confirmed, for the first time or after the connection was lost.
                        ear.begin()
        except (RedisError, OSError) as error:
            log.warning("watch.not_listening", channel=channel, error=str(error))
            ear.end()
            time.sleep(_AFTER_TROUBLE)
