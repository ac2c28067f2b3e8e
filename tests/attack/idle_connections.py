"""Connections on which nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.attack.kinds import Attack, Target
from tests.attack.peers import peers


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    with peers(target, target.many(2000), b""):
        yield


ATTACK = Attack("2,000 connect and are silent", "15 s for a head", _under_way, factor=2.0)
