"""A client that reads a batch of its own, as often as it can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.attack.caller import BATCH
from tests.attack.flood import bearer, flood
from tests.attack.kinds import Attack, Target


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    with target.stack.http(target.attacker) as http:
        batch = http.post("/v1/batches", json=BATCH).raise_for_status().json()["id"]
    path = f"/v1/batches/{batch}"
    with flood(
        target, target.many(256), lambda: ("GET", path, None), bearer(target), per_second=256
    ):
        yield


ATTACK = Attack("256 reads/s of one client's own", "half of the places", _under_way)
