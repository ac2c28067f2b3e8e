"""The largest answer that needs no credentials, as often as it can be had."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.attack.flood import flood
from tests.attack.kinds import Attack, Target


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    with flood(
        target, target.many(256), lambda: ("GET", "/openapi.json", None), {}, per_second=256
    ):
        yield


ATTACK = Attack("256/s of /openapi.json", "made once", _under_way)
