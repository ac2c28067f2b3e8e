"""Connections that send half a head, and then a byte now and then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.attack.kinds import Attack, Target
from tests.attack.peers import peers

_HALF = b"GET /v1/batches HTTP/1.1\r\nHost: here\r\nX-Slow: "


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    with peers(target, target.many(2000), _HALF, trickle=lambda _: b"a", every=2.0):
        yield


ATTACK = Attack("2,000 send half a head", "15 s for a head", _under_way, factor=2.0, seconds=20)
