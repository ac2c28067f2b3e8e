"""Kombu's Redis transport, with one client a channel.

Kombu makes a new client of redis-py for each message that it sends, acknowledges or counts, which
takes as long as the sending itself: the client sets up a table of the answers' forms.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis


class Channel(redis.Channel):
    """Keeps its client for as long as the connections it takes from are the same."""

    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return self._new_client(asynchronous=True)
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = self._new_client()
        return self._kept

    def _new_client(self, **options: Any) -> Any:
        return super()._create_client(**options)  # type: ignore[misc]


class Transport(redis.Transport):
    """Kombu's, with the channels above."""

    Channel = Channel


def use_one_client() -> None:
    """Let every connection to a `redis://` broker that this process makes from now on be such."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
