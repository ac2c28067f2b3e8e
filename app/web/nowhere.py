"""Who asks for what there is not: a path or a method that no view takes.

No view looks at the credentials then. A known client's request counts as any of theirs all the
same: it uses up their quota, is told what is left of it, and is theirs in the log. For whoever is
not known it stays the 404 or 405 that it is, since nothing there needs credentials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from flask import Flask, current_app, g, request

from app.core.errors import Unauthenticated, Unavailable
from app.web.auth import Extract, authenticate, bearer, begin_for
from app.web.prefixes import of_longest

_EXTENSION = "batchline.nowhere"
Identify = Callable[[], Any]
"""Finds whose the request is, and begins it for them, if it is anybody's."""


def register(flask: Flask) -> None:
    """Recognize clients on all paths of `flask`, by the native credentials unless said."""
    flask.extensions[_EXTENSION] = {}
    flask.before_request(_recognize)


def recognize_under(flask: Flask, prefix: str, identify: Identify) -> None:
    """Let `identify` look whose requests are of `prefix` and of every path below it."""
    flask.extensions[_EXTENSION]["/" + prefix.strip("/")] = identify


def by(extract: Extract) -> Identify:
    """Whoever has the credentials that `extract` finds."""

    def identify() -> None:
        found = None
        with suppress(Unauthenticated, Unavailable):
            found = authenticate(extract)
        if found is not None:
            begin_for(found, g.credentials.secret)

    return identify


_natively = by(bearer)


def _recognize() -> None:
    """Raises OverQuota and Busy."""
    if request.routing_exception is None and request.method != "OPTIONS":
        return
    prefixes: Mapping[str, Identify] = current_app.extensions[_EXTENSION]
    of_longest(prefixes, request.path, _natively)()
