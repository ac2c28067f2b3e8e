"""Pages of the console by one session, as often as it can."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle

import httpx

from tests.attack.flood import flood
from tests.attack.kinds import Attack, Target

_PAGES = ("/console", "/console/live", "/console/batches", "/console/activity")
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    with httpx.Client(base_url=target.stack.url, timeout=30) as http:
        found = _TOKEN.search(http.get("/console").text)
        assert found is not None
        form = {"csrf": found[1], "secret": target.attacker.secret}
        assert http.post("/console/sign-in", data=form).status_code == 303
        cookie = f"batchline_console={http.cookies['batchline_console']}"
    paths = cycle(_PAGES)
    with flood(target, target.many(64), lambda: ("GET", next(paths), None), {"Cookie": cookie}):
        yield


ATTACK = Attack("64 read the console without a pause", "a client's share", _under_way)
