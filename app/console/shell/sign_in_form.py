"""The form that whoever is not signed in gets, and where it leads."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from flask import Response, request

from app.console.shell import csrf, sessions
from app.console.shell.rendering import render

HOME = "/console"
_FORM_LASTS = 60 * 60


def form(next_path: str = HOME, *, status: int = 200, refusal: str | None = None) -> Response:
    """The form. `next_path`: where one wanted to go. `refusal`: why one was not let in."""
    secret = request.cookies.get(csrf.COOKIE) or csrf.new_secret()
    response = render(
        "sign_in.html",
        status,
        token=csrf.token_of(secret),
        next_path=safe_path(next_path),
        refusal=refusal,
    )
    sessions.set_cookie(
        response, request, csrf.COOKIE, secret, max_age=_FORM_LASTS, samesite="Strict"
    )
    return response


def safe_path(wanted: str) -> str:
    """`wanted` if it is a page of this console, else the first one: on no other host, ever."""
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return HOME
    inside = parts.path == HOME or parts.path.startswith(f"{HOME}/")
    plain = wanted.isprintable() and wanted.isascii() and "\\" not in wanted and " " not in wanted
    # What a browser would take for another path than the one that stands there.
    climbs = any(unquote(part) in (".", "..") for part in parts.path.split("/"))
    if climbs or parts.scheme or parts.netloc or not inside or not plain or "//" in parts.path:
        return HOME
    return wanted
