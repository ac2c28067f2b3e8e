"""/docs: Swagger UI, from a package on this machine."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from app.web.prepared import Prepared

# Scripts and styles come from this server alone.
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_ASSETS = frozenset(
    {
        "favicon-16x16.png",
        "favicon-32x32.png",
        "index.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "swagger-ui.css",
    }
)
_START = """window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    persistAuthorization: false,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
});
"""

_FILES = Path(flask_swagger_ui.__file__).parent / "dist"
_MADE: dict[str, Prepared] = {}

blueprint = Blueprint("docs", __name__, template_folder="templates")


@blueprint.get("/")
def start_page() -> BaseResponse:
    """Where a browser begins: with the console, which shows how things stand."""
    return redirect("/console")


@blueprint.get("/docs")
def page() -> Response:
    """The page."""
    made = _made("page", lambda: Prepared(render_template("docs.html").encode(), "text/html"))
    response = made.answer(request)
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@blueprint.get("/docs/start.js")
def start() -> Response:
    """The script that starts it, in a file, since the policy forbids scripts in the page."""
    made = _made("start.js", lambda: Prepared(_START.encode(), "text/javascript"))
    return made.answer(request)


@blueprint.get("/docs/assets/<name>")
def asset(name: str) -> Response:
    """A file of the package. All of them together are 2 MB, and as much again compressed."""
    if name not in _ASSETS:
        abort(404)
    return _made(name, lambda: _read(name)).answer(request)


def _read(name: str) -> Prepared:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Prepared((_FILES / name).read_bytes(), kind, max_age=86_400)


def _made(name: str, make: Callable[[], Prepared]) -> Prepared:
    """What is under that name, made on first use. It stays as it is while the process lives."""
    made = _MADE.get(name)
    if made is None:
        made = _MADE.setdefault(name, make())
    return made
