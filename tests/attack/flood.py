"""Requests as fast as they are answered, over many connections at once."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from app.core.errors import Busy
from app.web.problems import type_of
from tests.attack.kinds import Target

BUSY = type_of(Busy)
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
    unclean: list[str] = []
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
                said = answer.read()
                if answer.status == 503 and not is_clean(answer.getheader("Retry-After"), said):
                    unclean.append(said[:200].decode("utf-8", "replace"))
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
        wrong = {status for status in statuses if status >= 500 and status != 503}
        assert not wrong, f"answers of {wrong}"
        assert not unclean, f"{len(unclean)} answers of 503 that are not clean, as {unclean[0]}"
    finally:
        done.set()
        for thread in threads:
            thread.join()


def is_clean(retry_after: str | None, body: bytes) -> bool:
    """Whether a 503 says that others have what there is, and when to come back."""
    try:
        kind = json.loads(body)["type"]
    except (ValueError, KeyError, TypeError):
        return False
    return kind == BUSY and retry_after is not None and retry_after.isdecimal()


def bearer(target: Target) -> dict[str, str]:
    """The attacker's credentials."""
    return {"Authorization": f"Bearer {target.attacker.secret}"}
