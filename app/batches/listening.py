"""The thread that receives the notifications of batches, for those who watch some here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import structlog
from redis import Redis, RedisError
from redis.client import PubSub

from app.events.notify import CHANNEL

log = structlog.get_logger(__name__)

# Seconds: how long one wait for a notification lasts, and the pause after an error.
_PATIENCE = 1.0
_AFTER_TROUBLE = 1.0


class Ear(Protocol):
    """Who listens."""

    def goes_on(self) -> bool:
        """Whether to listen any longer."""

    def begin(self) -> None:
        """From now on everything is heard; what was told before was not."""

    def hear(self, message: bytes) -> None:
        """Take a notification in (`app.events.notify.notified`)."""

    def end(self) -> None:
        """Nothing is heard, for now."""


def listen(redis: Redis, ear: Ear) -> None:
    """Let `ear` hear what is told until it does not go on. A Redis that is away is tried again."""
    subscription: Callable[..., PubSub] = redis.pubsub
    while ear.goes_on():
        try:
            with subscription() as calls:
                calls.subscribe(CHANNEL)
                while ear.goes_on():
                    message = calls.get_message(timeout=_PATIENCE)
                    if message is None:
                        continue
                    if message["type"] == "message":
                        ear.hear(message["data"])
                    else:
                        # It is confirmed, for the first time or after the connection was lost.
                        ear.begin()
        except RedisError as error:
            log.warning("watch.not_listening", error=str(error))
            ear.end()
            time.sleep(_AFTER_TROUBLE)
