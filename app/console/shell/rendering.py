"""HTML of templates, and the headers without which none leaves.

The console has an environment of its own: everything is escaped, a name that is not there is an
error, and templates lie beside their views.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Response, g, request
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

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


# Text that changes by itself, as time passes: what is as it was may show another.
_PASSING = re.compile(r"(<[a-z]+ data-passing[^>]*>)[^<]*")


def render(template: str, status: int = 200, **values: Any) -> Response:
    """A whole page. `values`: what the template names."""
    return Response(
        _html(template, values), status, HEADERS, content_type="text/html; charset=utf-8"
    )


def live(template: str, **values: Any) -> Response:
    """A part of one, or 204 where it is what the browser has (`v` in the query)."""
    html = part(template, **values)
    version = html.partition('data-version="')[2].partition('"')[0]
    if version == request.args.get("v"):
        return Response(status=204, headers=HEADERS)
    return Response(html, 200, HEADERS, content_type="text/html; charset=utf-8")


def part(template: str, **values: Any) -> str:
    """The HTML of a part that can be asked for again, with the version that it is of."""
    html = _html(template, {**values, "version": "-"})
    digest = hashlib.sha256(_PASSING.sub(r"\1", html).encode()).hexdigest()[:16]
    return html.replace('data-version="-"', f'data-version="{digest}"', 1)


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
