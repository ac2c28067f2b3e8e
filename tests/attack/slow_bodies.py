"""Uploads by a client with credentials, a byte a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.attack.kinds import Attack, Target
from tests.attack.peers import peers

_QUERY = "operation=catalog.masterlist&start=manual"


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    begin = (
        f"POST /v1/batches?{_QUERY} HTTP/1.1\r\nHost: here\r\n"
        f"Authorization: Bearer {target.attacker.secret}\r\n"
        "Content-Type: application/x-ndjson\r\nContent-Length: 1000000\r\n\r\n"
    ).encode()
    with peers(target, target.many(2000), begin, trickle=lambda _: b"\n"):
        yield


ATTACK = Attack(
    "2,000 send a body a byte at a time", "1 KiB/s over 30 s", _under_way, factor=2.0, seconds=20
)
