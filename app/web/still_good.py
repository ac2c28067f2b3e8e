"""Whether a key is still good, for answers that go on for long after it was looked at."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import g

from app.core.errors import BatchlineError
from app.web.address import caller_address
from app.web.services import services

LOOK_EVERY = 5.0
"""Seconds between two looks of one answer: at most a statement each."""


def still_good(*, clock: Callable[[], float] = time.monotonic) -> Callable[[], bool]:
    """A function that tells whether the request's key is still good.

    Made while the request is answered, it is called behind that, as often as one likes: it looks
    now and then. A database that is away for the moment does not end an answer.
    """
    credentials, callers, address = g.credentials, services().callers, caller_address()
    looked_at = clock()

    def is_good() -> bool:
        nonlocal looked_at
        if clock() - looked_at < LOOK_EVERY:
            return True
        looked_at = clock()
        try:
            found = callers.find(credentials.secret, api_key=credentials.api_key)
        except BatchlineError:
            return True
        return found is not None and found.may_call_from(address)

    return is_good
