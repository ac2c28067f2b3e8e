"""Paths that stay below the address they are joined to.

The path comes from a client's item; the address comes from the operator. Nothing in the path
may lead to another host or out of the address's prefix, neither as a URL library reads it nor as
a server behind might after decoding and normalizing it. So a path that could be read in two ways
is refused rather than repaired.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, unquote_to_bytes

import httpx

LONGEST_PATH = 4000
# What RFC 3986 allows in a segment beside letters, digits and -._~, which `quote` always keeps.
_SEGMENT = "!$&'()*+,;=:@%"
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SEPARATOR = re.compile(r"[/\\]")
_MOST_DECODINGS = 5


def safe_path(path: str) -> str:
    """`path` percent-encoded, with a `/` in front, or empty. Raises ValueError saying why not."""
    if len(path) > LONGEST_PATH:
        raise ValueError(f"Must have at most {LONGEST_PATH} characters.")
    if path in ("", "/"):
        return path
    first, *rest = path.removeprefix("/").split("/")
    if ":" in first and not path.startswith("/"):
        raise ValueError("Must be a path, not a URL.")
    if "" in (first, *rest[:-1]):
        raise ValueError("Must not contain an empty segment (//).")
    segments = [first, *rest]
    for segment in segments:
        _check(segment)
    return "/" + "/".join(quote(segment, safe=_SEGMENT) for segment in segments)


def _check(segment: str) -> None:
    if "?" in segment or "#" in segment:
        raise ValueError(
            "Must not contain a query or a fragment: the query has a field of its own."
        )
    if _STRAY_PERCENT.search(segment):
        raise ValueError("Must have two hexadecimal digits after each %.")
    # A server may decode once, or, with a proxy before it, once more.
    for _ in range(_MOST_DECODINGS):
        _check_decoded(segment)
        decoded = _decoded(segment)
        if decoded == segment:
            return
        segment = decoded
    raise ValueError("Must not be percent-encoded again and again.")


def _check_decoded(segment: str) -> None:
    if "\\" in segment:
        raise ValueError("Must not contain a backslash.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in segment):
        raise ValueError("Must not contain control characters.")
    for part in _SEPARATOR.split(segment):
        # Some servers drop what follows a semicolon before they look for dots.
        if part.partition(";")[0].strip() in (".", ".."):
            raise ValueError("Must not contain the segments . or .. in any spelling.")


def _decoded(segment: str) -> str:
    try:
        decoded = unquote_to_bytes(segment).decode()
    except UnicodeError:
        raise ValueError("Must be UTF-8 once its percent-encoding is decoded.") from None
    # Full-width dots and slashes are dots and slashes to those that normalize.
    return unicodedata.normalize("NFKC", decoded)


def below(base: str, path: str, query: str) -> httpx.URL:
    """The URL of `path`, as `safe_path` gives it, and `query` below the URL `base`.

    Scheme, host, port and credentials are the base's. Raises ValueError where the URL would not be
    sent exactly so.
    """
    address = httpx.URL(base)
    target = address.raw_path.decode("ascii").rstrip("/") + path or "/"
    if query:
        target = f"{target}?{query}"
    try:
        url = address.copy_with(raw_path=target.encode("ascii"))
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from None
    if url.raw_path.decode("ascii") != target or url.netloc != address.netloc:
        raise ValueError("The path cannot be sent as it is.")
    return url
