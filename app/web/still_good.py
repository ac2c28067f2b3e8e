"""Whether a key is still good, for what goes on for long after it was looked at.

Answers that are streamed, bodies that are slow to come, waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import g, has_app_context

from app.clients.credentials import Caller
from app.clients.recent_callers import RecentCallers
from app.core.errors import BatchlineError, Unauthenticated
from app.web.address import caller_address
from app.web.services import services

LOOK_EVERY = 0.25
"""Seconds between two looks of one answer or body. Who calls by credentials is kept in memory for
a second, so that a key costs a process one statement in that time, however many look; a session of
the console costs one each time."""
IDLE_EVERY = 5.0
"""Seconds between two looks of an answer that has nothing to tell."""


def still_good(
    *, every: float | None = None, clock: Callable[[], float] = time.monotonic
) -> Callable[[], bool]:
    """A function that tells whether the request's key is still good.

    Made while the request is answered, it is called then and behind that, as often as one likes:
    it looks once in `every` seconds, LOOK_EVERY unless said. A database that is away for the moment
    does not end an answer. Where no credentials were asked for, they are good. Who was found by
    something else than credentials leaves in `g.find_again` how to find them.
    """
    find = g.get("find_again") if has_app_context() else None
    credentials = g.get("credentials") if has_app_context() else None
    if find is None and credentials is None:
        return lambda: True
    callers, address = services().callers, caller_address()
    find = find or partial(_find, callers, credentials)
    looked_at = clock()

    def is_good() -> bool:
        nonlocal looked_at
        if clock() - looked_at < (LOOK_EVERY if every is None else every):
            return True
        looked_at = clock()
        try:
            found = find()
        except BatchlineError:
            return True
        return found is not None and found.may_call_from(address)

    return is_good


def _find(callers: RecentCallers, credentials: Any) -> Caller | None:
    return callers.find(credentials.secret, api_key=credentials.api_key)


def require_good(is_good: Callable[[], bool]) -> None:
    """Raise Unauthenticated where the key has ended since the request began."""
    if not is_good():
        raise Unauthenticated("The key has ended meanwhile.")
