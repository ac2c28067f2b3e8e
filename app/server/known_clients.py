"""Which client sends a request, before anybody has looked at its credentials.

A client has its share of the places, which a request counts to before it has a thread. So it is
remembered which credentials turned out to be whose: by a hash of what the request carries.
Nothing but a share depends on it: the application looks at the credentials of every request.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable

from gunicorn.http.message import Request

_CREDENTIALS = frozenset(
    {"AUTHORIZATION", "X-API-KEY", "SUBSCRIPTION-KEY", "APIKEY", "SECRETKEY", "COOKIE"}
)
_MOST = 20_000


class KnownClients:
    """By the credentials that a request carries; safe to share between threads.

    At most `_MOST` are kept, a hundred bytes each. The one that was first gives way.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._clients: dict[int, Hashable] = {}

    def find(self, request: Request) -> Hashable | None:
        """The client whose credentials these were; None for all others, who share one share."""
        return self._clients.get(_mark(request))

    def note(self, request: Request, client: Hashable) -> None:
        """These are `client`'s."""
        mark = _mark(request)
        if self._clients.get(mark) == client:
            return
        with self._lock:
            if len(self._clients) >= self._most:
                del self._clients[next(iter(self._clients))]
            self._clients[mark] = client


def _mark(request: Request) -> int:
    """A hash that nobody outside can aim at: Python's is salted anew in each process."""
    return hash(tuple((name, value) for name, value in request.headers if name in _CREDENTIALS))
