"""Who makes a request, and what they may do: credentials, networks, scopes.

A view says what it needs by `@require("batches.read")`, the outermost decorator but for the
route's, so that nothing of a request is looked at before its credentials. Where a dialect carries
its credentials in other headers it passes its own `extract`. Which operations a key may submit is
looked at where items are taken in (`app.web.submissions`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from flask import Request, g, request

from app.clients.checks import SCOPES
from app.clients.credentials import Caller
from app.core import actor, correlation
from app.core.errors import Busy, Forbidden, Unauthenticated
from app.web import preconditions
from app.web.address import caller_address
from app.web.rates import count_request
from app.web.services import services
from app.web.turns import identified

View = TypeVar("View", bound=Callable[..., Any])
BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request carries. `api_key`: where a dialect wants both, they must belong together."""

    secret: str
    api_key: str | None = None


Extract = Callable[[Request], Credentials | None]


def bearer(carrier: Request) -> Credentials | None:
    """`Authorization: Bearer <secret>`, or None."""
    scheme, _, secret = carrier.headers.get("Authorization", "").partition(" ")
    secret = secret.strip()
    return Credentials(secret) if secret and scheme.lower() == "bearer" else None


def require(
    scope: str | None, *, or_admin: bool = False, extract: Extract = bearer
) -> Callable[[View], View]:
    """Let the view be called only with a good key that has `scope`; `caller()` says who it is.

    `scope`: None for whoever has a key. `or_admin`: whether `admin` is enough. Raises
    Unauthenticated and Forbidden, and what app/web/preconditions.py does for headers that the view
    does not take. In the OpenAPI document the view wants a bearer; a dialect says otherwise there
    (`Dialect.require`).
    """
    assert scope is None or scope in SCOPES, scope  # noqa: S101 (a programming error)

    def decorate(view: View) -> View:
        takes = preconditions.headers_of(view)

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            found = authenticate(extract)
            begin_for(found, g.credentials.secret)
            if scope not in (None, *found.scopes) and not (or_admin and found.is_admin):
                raise Forbidden(f"This needs the scope {scope}, which the key does not have.")
            preconditions.check(request, takes)
            return view(*args, **kwargs)

        document: dict[str, Any] = dict(getattr(guarded, "_apidoc", {}))
        manual = {**document.get("manual_doc", {}), "security": [{BEARER: []}]}
        guarded._apidoc = {**document, "manual_doc": manual}  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


def begin_for(found: Caller, secret: str) -> None:
    """From now on the request is `found`'s: it counts as theirs, and what it does is theirs.

    `secret`: by what it was found, which whoever sends the next one like it will send. Raises
    OverQuota and Busy.
    """
    g.caller = found
    try:
        identified(found.client_id, secret)
    except Busy:
        count_request(found, services().rates)  # which that answer tells, too
        raise
    actor.begin(actor.Actor(found.key_id, found.key_name, caller_address()))
    count_request(found, services().rates)


def authenticate(extract: Extract = bearer) -> Caller:
    """Whose credentials the request carries. Raises Unauthenticated.

    One answer for whatever is wrong with them: who tries stolen ones is not told that they would
    do from elsewhere.
    """
    credentials = extract(request)
    if credentials is None:
        raise Unauthenticated("This needs the credentials of a client.")
    found = services().callers.find(credentials.secret, api_key=credentials.api_key)
    if found is not None:
        # For the log, also where they are refused.
        correlation.note(clientId=found.client_id, keyId=found.key_id)
    if found is None or not found.may_call_from(caller_address()):
        raise Unauthenticated("These are not the credentials of an active client.")
    g.credentials = credentials  # for answers that go on for long (app.web.still_good)
    return found


def caller() -> Caller:
    """Who makes the request that is being answered."""
    found: Caller = g.caller
    return found
