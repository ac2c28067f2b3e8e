"""Proof that a form was sent from a page of ours: each has a token, made of a cookie's secret.

The cookie is the session's; before there is one, a cookie that stands for nothing else. Another
site can have a browser send the cookie (and mostly not even that, as it is SameSite), but can read
neither it nor our pages, and so does not know the token. Nothing is kept for it on the server.

A host beside ours, of the same domain, could set a cookie of its own choice, and so know what
belongs to it. A browser says of each request whether the page that sent it is of the same host.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from flask import Request

from app.core.errors import Forbidden

FIELD = "csrf"
COOKIE = "batchline_form"
"""Of who is not signed in."""


def new_secret() -> str:
    """For the cookie of who is not signed in."""
    return secrets.token_urlsafe(32)


def token_of(secret: str) -> str:
    """What forms carry who are sent to the browser with the cookie `secret`."""
    return hmac.new(
        secret.encode("utf-8", "replace"), b"batchline form", hashlib.sha256
    ).hexdigest()


def check(request: Request, secret: str | None) -> None:
    """Raise Forbidden unless the form has the token that belongs to the cookie `secret`."""
    check_token(request, request.form.get(FIELD, ""), secret)


def check_token(request: Request, sent: str, secret: str | None) -> None:
    """The same for who has read the request's form itself, and found `sent` in its `FIELD`."""
    # "none": typed in, or sent again by the browser itself. Old browsers say nothing.
    ours = request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
    theirs = secret is not None and hmac.compare_digest(sent.encode(), token_of(secret).encode())
    if not (ours and theirs):
        raise Forbidden("This form is too old, or did not come from this console. Load it again.")
