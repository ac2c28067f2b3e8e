"""Signing in by a client's secret, and out again."""

from __future__ import annotations

from uuid import UUID

from flask import g, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from app.audit.recording import record
from app.clients.credentials import hash_secret
from app.console.shell import attempts, csrf, sessions
from app.console.shell.page import Page
from app.console.shell.sign_in_form import HOME, form, safe_path
from app.core import actor
from app.core.errors import TooMany
from app.db import read, transaction
from app.db.statements.console_sessions import FIND_OWNER_OF_SECRET
from app.web import preconditions
from app.web.address import caller_address
from app.web.auth import begin_for, caller
from app.web.services import services

page = Page(__name__)
UNKNOWN = UUID(int=0)
"""Whose the audit's row is where somebody tried a secret that is nobody's: admins see it."""
_WRONG = "This is not the secret of an active client."


@page.open("GET", "/sign-in")
def wanted() -> BaseResponse:
    """Where somebody loads anew what the form led to."""
    return redirect(HOME, 303)


@page.open("POST", "/sign-in")
def sign_in() -> BaseResponse:
    """Begin a session, of its own token whatever cookie came with the request."""
    preconditions.check(request, preconditions.NONE)
    csrf.check(request, request.cookies.get(csrf.COOKIE))
    secret = request.form.get("secret", "").strip()
    wanted_path = safe_path(request.form.get("next", HOME))
    try:
        good = attempts.count_attempt(caller_address(), secret)
    except TooMany as error:
        response = form(wanted_path, status=429, refusal=error.detail)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    found = services().callers.find(secret)
    if found is None or not found.may_call_from(caller_address()):
        _note_refusal(secret)
        return form(wanted_path, status=401, refusal=_WRONG)
    good()
    actor.begin(actor.Actor(found.key_id, found.key_name, caller_address()))
    token = sessions.begin(found, secret, request.cookies.get(sessions.COOKIE))
    inside = redirect(wanted_path, 303)
    sessions.set_cookie(inside, request, sessions.COOKIE, token, max_age=sessions.LIFETIME)
    sessions.forget_cookie(inside, request, csrf.COOKIE)
    begin_for(found, f"{sessions.COOKIE}={token}")
    return inside


@page.post("/sign-out", scope=None)
def sign_out() -> BaseResponse:
    """End the session."""
    sessions.end(g.console_token, caller())
    response = redirect(HOME, 303)
    sessions.forget_cookie(response, request, sessions.COOKIE)
    return response


def _note_refusal(secret: str) -> None:
    """For whoever looks the audit through, also where the secret was good once."""
    this = {"secret_hash": hash_secret(secret)}
    owner = read(
        services().engine,
        lambda connection: connection.execute(FIND_OWNER_OF_SECRET, this).one_or_none(),
    )
    if owner is not None:
        actor.begin(actor.Actor(owner.key_id, owner.key_name, caller_address()))
    elif attempts.is_to_be_audited():
        actor.begin(actor.Actor(address=caller_address()))
    else:
        return
    with transaction(services().engine) as connection:
        record(
            connection,
            "session.refused",
            client_id=UNKNOWN if owner is None else owner.client_id,
        )
