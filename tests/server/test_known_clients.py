"""Whose a request is taken to be before it is looked at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.server.known_clients import KnownClients


def request(*headers: tuple[str, str]) -> Any:
    """As far as its headers."""
    return SimpleNamespace(headers=headers)


@pytest.fixture
def known() -> KnownClients:
    found = KnownClients(most=100)
    found.note("s3cret", "api")
    found.note("batchline_console=t0ken", "console")
    return found


def test_by_the_secret_of_the_api(known: KnownClients) -> None:
    assert known.find(request(("HOST", "a"), ("AUTHORIZATION", "Bearer s3cret"))) == "api"
    assert known.find(request(("AUTHORIZATION", "Bearer other"))) is None


@pytest.mark.parametrize(
    "cookies",
    [
        "batchline_console=t0ken",
        "a=b; batchline_console=t0ken",
        "batchline_console=t0ken; a=b",
        "; ".join(["batchline_console=t0ken", *(f"junk{n}={n}" for n in range(300))]),
        "a=b;batchline_console=t0ken ;c",
    ],
    ids=range(5),
)
def test_by_the_consoles_cookie_whatever_is_sent_beside_it(
    known: KnownClients, cookies: str
) -> None:
    """Who could look like a stranger would have the strangers' share besides his own."""
    assert known.find(request(("COOKIE", cookies))) == "console"


def test_others_cookies_are_nobodys(known: KnownClients) -> None:
    assert known.find(request(("COOKIE", "a=batchline_console=t0ken; b=t0ken"))) is None
    assert known.find(request(("X-COOKIE", "batchline_console=t0ken"))) is None
