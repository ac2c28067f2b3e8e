"""Who is signed in: a random token in a cookie, and a row in Postgres by the token's hash.

Nothing is signed: a token that was made up is in no row, and no key to sign with has to be shared
between the web processes, kept and changed. A session ends where its row goes (at sign-out), 12
hours after it began, and with the secret that was signed in with (rotated, expired, revoked). It
is looked up anew by each request, so that a copied cookie is worth nothing once one of these has
happened, whichever process is asked.
"""

from __future__ import annotations

import hashlib
import secrets

from flask import Request
from werkzeug.wrappers import Response as BaseResponse

from app.audit.recording import record
from app.clients.credentials import Caller, caller_of, hash_secret
from app.db import read, transaction
from app.db.statements.console_sessions import (
    DELETE_EXPIRED_SESSIONS,
    DELETE_SESSION,
    FIND_SIGNED_IN,
    INSERT_SESSION,
)
from app.web.services import Services, services

COOKIE = "batchline_console"
PATH = "/console"
LIFETIME = 12 * 60 * 60
"""Seconds."""
_FORGOTTEN_AT_ONCE = 100


def begin(found: Caller, secret: str, before: str | None) -> str:
    """Sign `found` in by `secret`; the token of the new session. `before`: one that it replaces.

    Audited. Sessions that are over are removed with it, so that there are never many more than
    people have begun within 12 hours.
    """
    token = secrets.token_urlsafe(32)
    with transaction(services().engine) as connection:
        connection.execute(DELETE_EXPIRED_SESSIONS, {"at_once": _FORGOTTEN_AT_ONCE})
        if before is not None:
            connection.execute(DELETE_SESSION, {"token_hash": _hash(before)})
        connection.execute(
            INSERT_SESSION,
            {
                "token_hash": _hash(token),
                "key_id": found.key_id,
                "secret_hash": hash_secret(secret),
                "seconds": LIFETIME,
            },
        )
        record(connection, "session.sign_in", client_id=found.client_id)
    return token


def token_of(request: Request) -> str | None:
    """What the request's cookie holds, where it is written as this server writes it.

    Else the server would not know whose the request is before it is answered, and count it to the
    share of strangers (app/server/known_clients.py), as often as its sender likes.
    """
    token = request.cookies.get(COOKIE)
    written = {part.strip() for part in request.headers.get("Cookie", "").split(";")}
    return token if token and f"{COOKIE}={token}" in written else None


def find(token: str, here: Services | None = None) -> Caller | None:
    """Who has that token, if their session and their key are still good.

    One statement, by primary keys. `here`: the process's services, for who asks behind a request.
    """
    here = here or services()
    row = read(
        here.engine,
        lambda connection: connection.execute(
            FIND_SIGNED_IN, {"token_hash": _hash(token)}
        ).one_or_none(),
    )
    found = caller_of(row, here.callers.defaults)
    return None if found is None else found[0]


def end(token: str, found: Caller) -> None:
    """The session is over, for every process. Audited."""
    with transaction(services().engine) as connection:
        if connection.execute(DELETE_SESSION, {"token_hash": _hash(token)}).rowcount:
            record(connection, "session.sign_out", client_id=found.client_id)


def set_cookie(
    response: BaseResponse, request: Request, name: str, value: str, **how: object
) -> None:
    """Give the browser a cookie for the console, which scripts cannot read.

    `how`: `max_age` in seconds, `samesite`. Over HTTPS it is never sent over HTTP.
    """
    response.set_cookie(
        name,
        value,
        path=PATH,
        httponly=True,
        secure=request.is_secure,
        **{"samesite": "Lax", **how},  # type: ignore[arg-type]
    )


def forget_cookie(response: BaseResponse, request: Request, name: str) -> None:
    """Take it away again."""
    set_cookie(response, request, name, "", max_age=0)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
