"""Every request: its id in and out, its address, and one log line when it is answered."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect, Rule

from app.core import actor, correlation
from app.core.log_scrubbing import beginning_of_path
from app.web import address
from app.web.services import services

log = structlog.get_logger(__name__)

# Polled every few seconds by whatever monitors the process: logged at the level debug.
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
# A part of a rule that takes whatever stands there: `<uuid:batch_id>`.
_VARYING = re.compile(r"<(?:[^<>:]+:)?(\w+)>")


def register(flask: Flask) -> None:
    """Give each request of `flask` an id, and log its end."""
    flask.before_request(_begin)
    flask.after_request(_answered)
    flask.teardown_request(_end)


def _begin() -> None:
    proxies = services().settings.forwarded_allow_ips
    g.request_id = correlation.begin_request(
        request.headers.get(correlation.HEADER), address.begin(request, proxies)
    )
    g.begun = time.monotonic()


def _answered(response: Response) -> Response:
    response.headers[correlation.HEADER] = g.request_id
    _guard(response)
    say = log.debug if request.path in _QUIET else log.info
    say(
        "request.answered",
        method=request.method,
        path=shown_path(),
        status=response.status_code,
        seconds=round(time.monotonic() - g.begun, 4),
    )
    return response


def shown_path() -> str:
    """The request's path for the log, without what items may hold: a record's key, a code.

    Of what varies in it ids stay, and of the rest its name: `/v1/records/{collection}/{key}`.
    """
    matched = _matched()
    if matched is None:
        return beginning_of_path(request.path)
    rule, values = matched

    def shown(part: re.Match[str]) -> str:
        value = values.get(part[1])
        return str(value) if isinstance(value, (UUID, int)) else f"{{{part[1]}}}"

    return _VARYING.sub(shown, rule.rule)


def _matched() -> tuple[Rule, Mapping[str, Any]] | None:
    """The rule of the request, and what varies in it; where it takes other methods only, that."""
    if request.url_rule is not None:
        return request.url_rule, request.view_args or {}
    wrong = request.routing_exception
    adapter = current_app.create_url_adapter(request)
    if not isinstance(wrong, MethodNotAllowed) or not wrong.valid_methods or adapter is None:
        return None
    with suppress(HTTPException, RequestRedirect):
        return adapter.match(method=next(iter(wrong.valid_methods)), return_rule=True)
    return None


def _guard(response: Response) -> None:
    """What no browser and no cache may make of an answer.

    Caches know `Authorization` for what it is, but not the headers in which dialects are sent keys:
    by those one client's answer would be kept for all.
    """
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.method not in ("GET", "HEAD"):
        # What has just been made may have a secret in it, which is shown this once.
        response.headers.setdefault("Cache-Control", "no-store")
    elif "caller" in g:
        response.headers.setdefault("Cache-Control", "private, no-cache")


def _end(_: BaseException | None) -> None:
    actor.end()
    correlation.end()
