"""Forms to sign in by: many small ones with wrong secrets, and ones that are all fields."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from tests.attack.flood import Request, flood
from tests.attack.kinds import Attack, Target

_PATH = "/console/sign-in"
_BOMB = b"a&" * (512 * 1024)


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    numbers = count()

    def form() -> Request:
        number = next(numbers)
        body = _BOMB if number % 8 == 0 else b"csrf=x&secret=bls_%d" % number
        return "POST", _PATH, body

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    with flood(target, target.many(64), form, headers):
        yield


ATTACK = Attack("64 send forms to sign in by", "16 KiB, a stranger's share", _under_way)
