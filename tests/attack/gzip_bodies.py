"""Small gzip bodies that are large JSON, eight at once."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager

from tests.attack.flood import bearer, flood
from tests.attack.kinds import Attack, Target

_ITEM = b'{"asin":"' + b"x" * 1000 + b'"},'
_ITEMS = 100_000


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    body = b'{"operation":"catalog.masterlist","start":"manual","items":[' + _ITEM * _ITEMS
    packed = gzip.compress(body[:-1] + b"]}", 9)
    headers = {**bearer(target), "Content-Type": "application/json", "Content-Encoding": "gzip"}
    with flood(target, 8, lambda: ("POST", "/v1/batches", packed), headers):
        yield


ATTACK = Attack("8 gzip bodies of 100 MB", "256 KiB of a body are held", _under_way, seconds=20)
