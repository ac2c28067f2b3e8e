"""The text key of the record that an item touches.

The parts are joined by `:`; a `:`, `/` or `%` inside a part is percent-encoded, so that two
different lists of parts never give the same key and a key can stand in a URL path.
"""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_KEY = 1024  # bytes; a Postgres index row has to hold it beside the client and collection


def quote_part(part: str) -> str:
    """`part` with `%`, `:` and `/` percent-encoded."""
    if "%" in part or ":" in part or "/" in part:
        return part.replace("%", "%25").replace(":", "%3A").replace("/", "%2F")
    return part


def join_key(parts: Iterable[str]) -> str:
    """The key of those parts, in that order."""
    return ":".join(map(quote_part, parts))
