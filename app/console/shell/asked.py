"""What an address or a form says, as far as it makes sense; nonsense is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that holds: what it says, and the address without it."""

    label: str
    value: str
    without: str


def text_of(query: Mapping[str, str], name: str, most: int = LONGEST_TEXT) -> str:
    """What is said there, without the space around it; empty where nothing is.

    Postgres takes no NUL, and no half of a pair.
    """
    text = query.get(name, "").strip()[:most].replace("\x00", "")
    return text.encode("utf-8", "ignore").decode()


def moment_of(text: str) -> datetime | None:
    """The time that is meant, in UTC unless it says otherwise; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def address(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """`path` with these in its query, but for those that say nothing."""
    said = [(name, value) for name, value in pairs if value]
    return f"{path}?{urlencode(said)}" if said else path
