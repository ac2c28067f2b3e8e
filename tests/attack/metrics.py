"""/metrics by 64 without credentials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.attack.flood import flood
from tests.attack.kinds import Attack, Target


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    with flood(target, target.many(64), lambda: ("GET", "/metrics", None), {}):
        yield


ATTACK = Attack("64 read /metrics", "a copy a second old", _under_way)
