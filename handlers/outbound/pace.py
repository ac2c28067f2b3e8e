"""How long an answer asks to be left alone: `Retry-After`, and the `RateLimit` headers.

Three forms are read, of which the drafts had one after the other: three headers
(`RateLimit-Limit`, `RateLimit-Remaining`, `RateLimit-Reset`, also with `X-` before them), one that
names its parts (`RateLimit: limit=10, remaining=0, reset=7`), and one by policies
(`RateLimit: "burst";r=0;t=7, "day";r=900;t=3600`). Seconds all of them; some services say the
moment instead, as seconds since 1970, which is taken as that.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import httpx

from handlers.outbound.responses import retry_after

LONGEST_PACE = 3600.0
"""Seconds: a system that asks for more is asked again after so many."""
_LONGEST_NUMBER = 12
# Larger numbers of seconds are moments.
_MOMENTS = 10**9
_PART = re.compile(r"\b(r|t|remaining|reset)\s*=\s*(\d{1,12})\b", re.IGNORECASE)
_NAMES = {"r": "remaining", "t": "reset"}


def pace_of(response: httpx.Response) -> float | None:
    """Seconds in which nothing more should be asked of whoever answered so; None for no such wish.

    By `Retry-After` for 429, else by the `RateLimit` headers of any answer that say that nothing is
    left. At most `LONGEST_PACE`.
    """
    waits = list(_used_up(response))
    if response.status_code == 429 and (asked := retry_after(response)) is not None:
        waits = [asked]
    longest = max(waits, default=0.0)
    return min(longest, LONGEST_PACE) if longest > 0 else None


def _used_up(response: httpx.Response) -> Iterator[float]:
    headers = response.headers
    said = headers.get("ratelimit", "")
    # The form in between has its parts in a list, and is one policy.
    for text in [said] if "remaining" in said.lower() else said.split(","):
        parts = {
            _NAMES.get(name.lower(), name.lower()): int(number)
            for name, number in _PART.findall(text)
        }
        if parts.get("remaining") == 0 and "reset" in parts:
            yield _seconds(parts["reset"])
    for prefix in ("ratelimit", "x-ratelimit"):
        remaining = _number(headers.get(f"{prefix}-remaining", ""))
        reset = _number(headers.get(f"{prefix}-reset", ""))
        if remaining == 0 and reset is not None:
            yield _seconds(reset)


def _number(text: str) -> int | None:
    digits = text.strip()[:_LONGEST_NUMBER]
    return int(digits) if digits.isascii() and digits.isdecimal() else None


def _seconds(number: int) -> float:
    return max(0.0, number - time.time()) if number >= _MOMENTS else float(number)
