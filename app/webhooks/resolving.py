"""Resolving names for webhooks, so that one client's name servers keep nobody else waiting."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import httpcore

MOST_AT_ONCE = 128
"""Most names that a process resolves at once. A thread is made when it is first needed."""
MOST_OF_ONE = 8
"""Most of them for one client: twice its tries, as one that was given up goes on for a while."""


class DeadlineExceeded(httpcore.TimeoutException):
    """The exchange, or this part of it, took too long."""


class Resolver:
    """Resolves names as the system does. One a process; safe to share between threads.

    What the system is asked cannot be called off, and a name server that does not answer takes up
    to half a minute. So it is asked on threads of its own, MOST_AT_ONCE of them, of which one
    client has MOST_OF_ONE at most: those that it has given up are counted until the system lets go
    of them. One that has so many is refused more at once. Others notice nothing of it.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="resolver")
        self._lock = threading.Lock()
        self._under_way: Counter[Hashable] = Counter()

    def resolve(self, host: str, port: int, seconds: float, *, whose: Hashable) -> list[str]:
        """The addresses of `host`, in the system's order of preference, each once.

        `whose`: the client that it is for. Raises ConnectError where there is none, or where that
        client has too many under way, and DeadlineExceeded after `seconds`.
        """
        with self._lock:
            if self._under_way[whose] >= MOST_OF_ONE:
                raise httpcore.ConnectError("too many names are being resolved that do not answer")
            self._under_way[whose] += 1
        found: Future[list[Any]] = self._threads.submit(
            socket.getaddrinfo, host, port, type=socket.SOCK_STREAM
        )
        found.add_done_callback(lambda _: self._ended(whose))
        try:
            answers = found.result(seconds)
        except FutureTimeout:
            found.cancel()
            raise DeadlineExceeded(f"{host} could not be resolved in time") from None
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
        return list(dict.fromkeys(str(answer[4][0]) for answer in answers))

    def _ended(self, whose: Hashable) -> None:
        with self._lock:
            self._under_way[whose] -= 1
            if not self._under_way[whose]:
                del self._under_way[whose]
