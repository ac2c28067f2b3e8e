"""Which client sends a request, before anybody has looked at its credentials.

A client has its share of the places, which a request counts to before it has a thread. So it is
remembered which secrets turned out to be whose. By the secret alone: who could make a request that
is his look like a stranger's, by whatever else it carries, would have the strangers' share besides
his own, again and again. Nothing but a share depends on it: the application looks at the
credentials of every request.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable

from gunicorn.http.message import Request

_COOKIE = "COOKIE"
_SECRETS = frozenset({"AUTHORIZATION", "SECRETKEY", _COOKIE})
"""Headers that hold one, at their end: `Bearer ...`. An API key is no secret.

Of cookies any may be the one: others may have set some for the same host, and whoever sends the
console's may send what they like beside it.
"""
_MOST = 20_000


class KnownClients:
    """By the secrets that were good; safe to share between threads.

    At most `_MOST` are kept, a hundred bytes each. The one that was first gives way.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._clients: dict[int, Hashable] = {}

    def find(self, request: Request) -> Hashable | None:
        """The client one of whose secrets it carries; None for all others, who share one share."""
        for name, value in request.headers:
            if name not in _SECRETS:
                continue
            for part in value.split(";") if name == _COOKIE else (value,):
                client = self._clients.get(_mark(part.split()[-1:]))
                if client is not None:
                    return client
        return None

    def note(self, secret: str, client: Hashable) -> None:
        """This is one of `client`'s."""
        mark = _mark(secret.split()[-1:])
        if self._clients.get(mark) == client:
            return
        with self._lock:
            if mark not in self._clients and len(self._clients) >= self._most:
                del self._clients[next(iter(self._clients))]
            self._clients[mark] = client


def _mark(secret: list[str]) -> int:
    """A hash that nobody outside can aim at: Python's is salted anew in each process."""
    return hash(tuple(secret))
