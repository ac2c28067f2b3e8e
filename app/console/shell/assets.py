"""The console's files: styles, scripts, and the libraries of `vendor`.

Their names have a hash of what is in them, so that a browser asks for each once, and for another
when it has changed. They are read, and compressed, when the process starts to serve them.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, abort, request

from app.web.prepared import Prepared

_CONSOLE = Path(__file__).parents[1]
FILES = {
    "console.css": _CONSOLE / "shell/static/console.css",
    "console.js": _CONSOLE / "shell/static/console.js",
    "palette.js": _CONSOLE / "shell/static/palette.js",
    "icon.svg": _CONSOLE / "shell/static/icon.svg",
    "htmx.js": _CONSOLE / "vendor/htmx.min.js",
    "idiomorph.js": _CONSOLE / "vendor/idiomorph-ext.min.js",
}
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_YEAR = 31_536_000


@cache
def _prepared() -> dict[str, tuple[str, Prepared]]:
    """By the name that templates have for it: the name in its URL, and the file."""
    found = {}
    for name, path in FILES.items():
        body = path.read_bytes()
        stem, dot, ending = name.partition(".")
        url_name = f"{stem}-{hashlib.sha256(body).hexdigest()[:12]}{dot}{ending}"
        headers = {"Content-Security-Policy": "default-src 'none'"}
        found[name] = (
            url_name,
            Prepared(body, _KINDS[dot + ending], max_age=_YEAR, headers=headers),
        )
    return found


@cache
def _by_url() -> dict[str, Prepared]:
    return dict(_prepared().values())


def asset_url(name: str) -> str:
    """Where a browser finds the file."""
    return f"/console/assets/{_prepared()[name][0]}"


def register(blueprint: Blueprint) -> None:
    """Serve the files below `/console/assets`, to anybody: they are the same for all."""

    @blueprint.get("/assets/<name>")
    def asset(name: str) -> Response:
        found = _by_url().get(name)
        if found is None:
            abort(404)
        return found.answer(request)
