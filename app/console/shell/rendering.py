"""HTML of templates, and the headers without which none leaves.

The console has an environment of its own: everything is escaped, a name that is not there is an
error, and templates lie beside their views.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from flask import Response, g, request
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sqlalchemy import Row

from app.clients.credentials import Caller
from app.console.shell import csrf
from app.console.shell.assets import asset_url
from app.console.shell.roles import READ, SUBMIT, WRITE, may
from app.console.shell.shown import FILTERS

_HERE = Path(__file__).parent
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # What it shows may be seen by whoever is signed in, and by nobody who goes back afterwards.
    "Cache-Control": "no-store",
    "Vary": "Cookie",
}

_ENVIRONMENT = Environment(
    loader=ChoiceLoader(
        [FileSystemLoader(_HERE / "templates"), FileSystemLoader(_HERE.parent / "pages")]
    ),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(FILTERS)
_ENVIRONMENT.globals["asset"] = asset_url


def protect(response: Response) -> Response:
    """Give an answer of the console the headers that it has not: redirects, files, those to HTMX.

    What may be kept by whoever has it is the same for all, so it does not depend on a cookie.
    """
    below = request.path == "/console" or request.path.startswith("/console/")
    if below:
        public = "public" in response.headers.get("Cache-Control", "")
        for name, value in HEADERS.items():
            if name not in response.headers and not (public and name == "Vary"):
                response.headers[name] = value
    return response


def render(template: str, status: int = 200, **values: Any) -> Response:
    """A whole page. `values`: what the template names."""
    return Response(
        _html(template, values), status, HEADERS, content_type="text/html; charset=utf-8"
    )


def live(
    template: str,
    *,
    passing: Mapping[str, Any] = MappingProxyType({}),
    told_by: Any = None,
    **values: Any,
) -> Response:
    """A part of one, or 204 where the browser has it (`v` in the query): then nothing is made.

    `passing`: values that change by themselves, as time passes, which make nothing new of it.
    `told_by`: what tells one state of it from another instead of the values, if they need not be
    looked at for that.
    """
    version = _version(template, values if told_by is None else told_by)
    if version == request.args.get("v"):
        return Response(status=204, headers=HEADERS)
    html = _html(template, {**values, **passing, "version": version})
    return Response(html, 200, HEADERS, content_type="text/html; charset=utf-8")


def unchanged(template: str, told_by: Any) -> Response | None:
    """204 where the browser has the part that this tells from others; None where it has not."""
    if _version(template, told_by) == request.args.get("v"):
        return Response(status=204, headers=HEADERS)
    return None


def part(
    template: str,
    *,
    passing: Mapping[str, Any] = MappingProxyType({}),
    told_by: Any = None,
    **values: Any,
) -> str:
    """The HTML of a part that can be asked for again, with the version that it is of."""
    version = _version(template, values if told_by is None else told_by)
    return _html(template, {**values, **passing, "version": version})


def fragment(template: str, **values: Any) -> Markup:
    """The HTML of what is the same for whoever looks: made of `values`, and of nothing else."""
    return Markup(_ENVIRONMENT.get_template(template).render(values))  # noqa: S704 (escaped there)


def _version(template: str, values: Any) -> str:
    """What tells one state of a part from another: all that it is made of, but for what passes."""
    who: Caller | None = g.get("caller")
    # A session of its own, or of a key that may do other things, has other forms.
    by = (template, g.get("console_token"), who and sorted(who.scopes), who and who.operations)
    text = msgspec.json.encode((by, values), enc_hook=_plainly)
    return hashlib.sha256(text).hexdigest()[:16]


def _plainly(value: Any) -> Any:
    """Of what is no JSON: rows, and texts that are known to be JSON."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Row):
        return tuple(value)
    raise TypeError(f"A live part cannot be told apart by a {type(value).__name__}.")


def _html(template: str, values: Mapping[str, Any]) -> str:
    who: Caller | None = g.get("caller")
    common: dict[str, Any] = {
        "who": who,
        "links": [
            link for link, scope in g.get("links", ()) if who is not None and may(who, scope)
        ],
        "here": None,
        "form_token": csrf.token_of(g.console_token) if "console_token" in g else "",
        "may_write": who is not None and may(who, WRITE),
        "may_submit": who is not None and may(who, SUBMIT),
        "may_read": who is not None and may(who, READ),
        "search": request.args.get("text", ""),
    }
    return _ENVIRONMENT.get_template(template).render({**common, **values})
