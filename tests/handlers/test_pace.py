"""How long a system wants to be left alone, as its answers say it."""

from __future__ import annotations

import time

import httpx
import pytest

from handlers.outbound.pace import LONGEST_PACE, pace_of


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "7"}, 7),
        (429, {}, None),
        (429, {"Retry-After": "0"}, None),
        (429, {"Retry-After": "86400"}, LONGEST_PACE),
        (503, {"Retry-After": "7"}, None),
        (200, {"RateLimit-Limit": "10", "RateLimit-Remaining": "0", "RateLimit-Reset": "5"}, 5),
        (200, {"RateLimit-Limit": "10", "RateLimit-Remaining": "1", "RateLimit-Reset": "5"}, None),
        (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"}, 9),
        (200, {"RateLimit": "limit=10, remaining=0, reset=4"}, 4),
        (200, {"RateLimit": "limit=10, remaining=3, reset=4"}, None),
        (200, {"RateLimit": '"burst";r=0;t=6, "day";r=900;t=3600'}, 6),
        (200, {"RateLimit": '"burst";r=2;t=6, "day";r=0;t=60'}, 60),
        (200, {"RateLimit": '"burst";r=2;t=6'}, None),
        (200, {"RateLimit": '"burst";r=0'}, None),
        (429, {"RateLimit": '"burst";r=0;t=6', "Retry-After": "2"}, 2),
        (200, {"RateLimit": "nonsense;;=,=0", "RateLimit-Remaining": "none"}, None),
        (200, {"RateLimit-Remaining": "0", "RateLimit-Reset": "\u0663"}, None),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value),
)
def test_what_is_asked(status: int, headers: dict[str, str], seconds: float | None) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert pace_of(httpx.Response(status, headers=raw)) == seconds


def test_a_moment_is_a_wait() -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 600)}
    found = pace_of(httpx.Response(200, headers=headers))
    assert found is not None
    assert 500 < found <= 600  # a test that stalls for longer than that has a time limit
