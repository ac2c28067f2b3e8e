"""Pages as large as they get, asked for and not read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.attack.kinds import Attack, Target
from tests.attack.peers import peers

_ITEMS = 200
_EACH = 200_000


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    lines = b"".join(
        json.dumps({"asin": str(number), "filling": "x" * _EACH}).encode() + b"\n"
        for number in range(_ITEMS)
    )
    with target.stack.http(target.attacker, timeout=120) as http:
        answer = http.post(
            "/v1/batches?operation=catalog.masterlist&start=manual",
            content=lines,
            headers={"Content-Type": "application/x-ndjson"},
        )
    batch = answer.raise_for_status().json()["id"]
    begin = (
        f"GET /v1/batches/{batch}/items?limit=1000 HTTP/1.1\r\nHost: here\r\n"
        f"Authorization: Bearer {target.attacker.secret}\r\n\r\n"
    ).encode()
    with peers(target, target.many(2000), begin, take=0, receive_buffer=4096):
        yield


ATTACK = Attack(
    "2,000 ask for large pages and read nothing", "30 s for an answer", _under_way, 2.0, 20
)
