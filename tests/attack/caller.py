"""`python -m tests.attack.caller URL SECRET SECONDS`: a client that works on while others attack.

A process of its own, so that what it measures is the server's time and not the attacker's. Each
request is a connection of its own. Prints one JSON object: seconds of each, and what went wrong.
"""

from __future__ import annotations

import http.client
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_PAUSE = 0.03
_TIMEOUT = 20
_ITEMS = [{"asin": "A1", "countryCode": "US", "percACoS": 2.7}]
BATCH = {"operation": "catalog.masterlist", "start": "manual", "items": _ITEMS}


@dataclass
class Experience:
    """How it went. `errors`: answers other than success, and connections that broke."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """The time within which 95 of 100 requests were answered."""
        ordered = sorted(self.seconds)
        return ordered[int(len(ordered) * 0.95)] if ordered else float("inf")


@contextmanager
def working(url: str, secret: str, seconds: float) -> Iterator[Experience]:
    """The caller at work, for `seconds`; what it saw is there when the block has been left."""
    command = [sys.executable, "-m", __name__, url, secret, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    experience = Experience()
    try:
        yield experience
        said, _ = process.communicate(timeout=seconds + 60)
        experience.__dict__.update(json.loads(said))
    finally:
        process.kill()
        process.wait()


def main(url: str, secret: str, seconds: float) -> None:
    """Work for so long, and say how it was."""
    address = urlsplit(url)
    experience = Experience()
    until = time.monotonic() + seconds
    batch = ""
    for number in itertools.count():
        method, path, body = "GET", f"/v1/batches/{batch}", None
        if not batch or number % 5 == 0:
            method, path, body = "POST", "/v1/batches", json.dumps(BATCH)
        elif number % 5 == 1:
            path = "/v1/batches?limit=10"
        began = time.monotonic()
        try:
            status, answer = _ask(address.netloc, secret, method, path, body)
            if status >= 400:
                experience.errors.append(f"{method} {path}: {status} {answer[:200]!r}")
            elif method == "POST":
                batch = json.loads(answer)["id"]
        except (OSError, http.client.HTTPException) as error:
            experience.errors.append(f"{method} {path}: {type(error).__name__} {error}")
        experience.seconds.append(time.monotonic() - began)
        if time.monotonic() > until:
            break
        time.sleep(_PAUSE)
    print(json.dumps(experience.__dict__))


def _ask(netloc: str, secret: str, method: str, path: str, body: str | None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(netloc, timeout=_TIMEOUT)
    try:
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
