"""Where `http.request` may go (`HTTP_HANDLER_BASES`): what is not safe there, or said twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from urllib.parse import urlsplit

from app.core.addresses import is_loopback
from app.doctor.finding import Finding, doubtful

_ABOUT = "settings"
_PORTS = {"http": 80, "https": 443}


def look_at_bases(bases: Mapping[str, str]) -> Iterator[Finding]:
    """URLs by name. They are told by their names alone, since a URL may hold a password."""
    for name, url in bases.items():
        parts = urlsplit(url)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            yield doubtful(
                _ABOUT,
                f"HTTP_HANDLER_BASES: {name} is http: what is sent can be read on the way",
                "make it https, unless nobody else is on that network",
            )
    for (one, url), (other, second) in combinations(bases.items(), 2):
        if _where(url) == _where(second):
            yield doubtful(
                _ABOUT,
                f"HTTP_HANDLER_BASES: {one} and {other} lead to the same address",
                "keep one of them: a breaker knows them as two systems",
            )


def _where(url: str) -> tuple[str | None, str | None, int | None, str]:
    """As whom, host, port (None: the scheme's own) and path."""
    parts = urlsplit(url)
    port = None if parts.port == _PORTS.get(parts.scheme) else parts.port
    return parts.username, parts.hostname, port, parts.path
