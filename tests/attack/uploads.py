"""24 large uploads of one client at once, again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.attack.flood import bearer, flood
from tests.attack.kinds import Attack, Target

_LINES = b'{"asin":"A1","countryCode":"US","percACoS":2.7}\n' * 20_000
_PATH = "/v1/batches?operation=catalog.masterlist&start=manual"


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    headers = {**bearer(target), "Content-Type": "application/x-ndjson"}
    with flood(target, 24, lambda: ("POST", _PATH, _LINES), headers):
        yield


ATTACK = Attack("24 uploads at once", "uploads below the pool's size", _under_way, seconds=20)
