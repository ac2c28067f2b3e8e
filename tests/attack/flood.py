"""Requests as fast as they are answered, over many connections at once."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tests.attack.kinds import Target

Request = tuple[str, str, bytes | None]


@contextmanager
def flood(
    target: Target,
    connections: int,
    request: Callable[[], Request],
    headers: Mapping[str, str],
    *,
    per_second: float | None = None,
) -> Iterator[dict[int, int]]:
    """`connections` that each ask again as soon as they were answered; how often with which status.

    `request`: method, path and body of the next one. `per_second`: of all together, at most.
    """
    statuses: dict[int, int] = {}
    done = threading.Event()
    pause = connections / per_second if per_second else 0.0

    def ask_on(place: int) -> None:
        connection = http.client.HTTPConnection(*target.address, timeout=60)
        done.wait(pause * place / connections)
        while not done.is_set():
            began = time.monotonic()
            try:
                method, path, body = request()
                connection.request(method, path, body=body, headers=dict(headers))
                answer = connection.getresponse()
                answer.read()
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
            except (OSError, http.client.HTTPException):
                connection.close()
            done.wait(max(0.0, began + pause - time.monotonic()))
        connection.close()

    threads = [threading.Thread(target=ask_on, args=(place,)) for place in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
        unclean = {status for status in statuses if status >= 500 and status != 503}
        assert not unclean, f"answers of {unclean}"
    finally:
        done.set()
        for thread in threads:
            thread.join()


def bearer(target: Target) -> dict[str, str]:
    """The attacker's credentials."""
    return {"Authorization": f"Bearer {target.attacker.secret}"}
