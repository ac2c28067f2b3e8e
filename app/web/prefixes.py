"""What is said for a path by the longest of the prefixes that it lies below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Said = TypeVar("Said")


def of_longest(said: Mapping[str, Said], path: str, otherwise: Said) -> Said:
    """What `said` has for the longest of its prefixes that is `path` or above it.

    A prefix ends without a slash, and is above whole parts of a path only.
    """
    found = [prefix for prefix in said if path == prefix or path.startswith(f"{prefix}/")]
    return said[max(found, key=len)] if found else otherwise
