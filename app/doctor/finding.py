"""One thing that was looked at, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """`WARNING`: it works, and may not for long, or for others than it should."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about a part, and what to do where it is not as it should be."""

    level: Level
    about: str
    found: str
    cure: str = ""


def fine(about: str, found: str) -> Finding:
    """It is as it should be."""
    return Finding(Level.OK, about, found)


def doubtful(about: str, found: str, cure: str) -> Finding:
    """It works, but."""
    return Finding(Level.WARNING, about, found, cure)


def wrong(about: str, found: str, cure: str) -> Finding:
    """It does not work."""
    return Finding(Level.WRONG, about, found, cure)


def clock(whose: str, ahead: float, most: float, cure: str) -> Finding | None:
    """That a server's clock is `ahead` of this machine's by more than `most` s, or behind."""
    if abs(ahead) <= most:
        return None
    where = "behind" if ahead > 0 else "ahead of"
    return doubtful("clock", f"this machine is {abs(ahead):,.0f} s {where} {whose}", cure)
