"""Lengths of time as people write them: `90d`, `24h`, `15m`, `30s`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_WRITTEN = re.compile(r"([0-9]{1,9})([smhd])")
LONGEST = timedelta(days=36_500)


def parse_duration(text: str) -> timedelta:
    """The length of time. Raises ValueError, whose text says what is wrong."""
    written = _WRITTEN.fullmatch(text.strip())
    if written is None:
        raise ValueError(f"{text!r} is no duration: a whole number with s, m, h or d, as in 90d.")
    length = timedelta(**{_UNITS[written[2]]: int(written[1])})
    if length > LONGEST:
        raise ValueError(f"{text!r} is more than {LONGEST.days}d.")
    return length
