"""Requests that are sent again where nobody knows what became of them.

A submission has an `Idempotency-Key`, so that it may be sent as often as it takes: once it has been
accepted, the first answer comes again. What reads changes nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from batchline.client.errors import ApiError

Answer = TypeVar("Answer")
# Seconds before the second try; twice as long before each further one.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_IN_FLIGHT = "urn:batchline:problem:key-in-flight"


def is_open(error: ApiError) -> bool:
    """Whether the same request may yet succeed: no answer came, or one that says "later"."""
    lost = error.status == 0
    return lost or error.status == 503 or error.problem.get("type") == _IN_FLIGHT


def until_answered(send: Callable[[], Answer], tries: int) -> Answer:
    """What `send` returns, tried up to `tries` times for as long as it is open.

    Between tries it waits as long as the answer's `Retry-After` says, up to half a minute; else
    half a second, twice as long each time. Raises the last ApiError.
    """
    pause = _FIRST_PAUSE
    for left in range(tries - 1, -1, -1):
        try:
            return send()
        except ApiError as error:
            if not left or not is_open(error):
                raise
            wait = pause if error.retry_after is None else error.retry_after
        # Not all at the same moment, who were all refused at one.
        time.sleep(min(wait, _LONGEST_PAUSE) * random.uniform(1.0, 1.2))  # noqa: S311
        pause *= 2
    raise AssertionError("there is at least one try")
