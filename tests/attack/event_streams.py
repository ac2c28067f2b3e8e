"""565 event streams of one client, beside which another's wait has to be held."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.attack.caller import BATCH
from tests.attack.kinds import Attack, Target
from tests.attack.peers import peers


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    with target.stack.http(target.attacker) as http:
        batch = http.post("/v1/batches", json=BATCH).raise_for_status().json()["id"]
    begin = (
        f"GET /v1/batches/{batch}/events HTTP/1.1\r\nHost: here\r\n"
        f"Authorization: Bearer {target.attacker.secret}\r\n\r\n"
    ).encode()
    with peers(target, 565, begin), target.stack.http(target.other, timeout=60) as http:
        time.sleep(3)
        other = http.post("/v1/batches", json=BATCH).raise_for_status().json()["id"]
        began = time.monotonic()
        http.get(f"/v1/batches/{other}?wait=3").raise_for_status()
        held = time.monotonic() - began
        assert held > 2.5, f"another's wait of 3 s was held for {held:.1f} s"
        yield


ATTACK = Attack("565 event streams of one client", "nine tenths of the waiting places", _under_way)
