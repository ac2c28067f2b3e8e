"""Credentials in other systems' headers."""

from __future__ import annotations

from collections.abc import Callable

from flask import Request

from app.web.auth import Credentials, Extract

Reader = Callable[[Request], str]


def header(name: str) -> Reader:
    """A header as it stands."""
    return lambda carrier: carrier.headers.get(name, "").strip()


def authorization(*, bare: bool = False) -> Reader:
    """`Authorization: Bearer <secret>`; with `bare` also the secret without the scheme's name."""

    def read(carrier: Request) -> str:
        given = carrier.headers.get("Authorization", "").strip()
        scheme, _, secret = given.partition(" ")
        if scheme.lower() == "bearer":
            return secret.strip()
        return given if bare else ""

    return read


def key_and_secret(*, api_key: Reader, secret: Reader) -> Extract:
    """Both of them, which must belong to the same client; None where one is missing."""

    def extract(carrier: Request) -> Credentials | None:
        its_key, its_secret = api_key(carrier), secret(carrier)
        return Credentials(its_secret, its_key) if its_key and its_secret else None

    return extract
