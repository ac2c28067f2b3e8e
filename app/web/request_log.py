"""Every request: its id in and out, its address, and one log line when it is answered."""

from __future__ import annotations

import re
import time
from uuid import UUID

import structlog
from flask import Flask, Response, g, request

from app.core import actor, correlation
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
    if request.url_rule is None:
        return request.path
    values = request.view_args or {}

    def shown(part: re.Match[str]) -> str:
        value = values.get(part[1])
        return str(value) if isinstance(value, (UUID, int)) else f"{{{part[1]}}}"

    return _VARYING.sub(shown, request.url_rule.rule)


def _guard(response: Response) -> None:
    """What no browser and no cache may make of an answer."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.method not in ("GET", "HEAD"):
        # What has just been made may have a secret in it, which is shown this once.
        response.headers.setdefault("Cache-Control", "no-store")


def _end(_: BaseException | None) -> None:
    actor.end()
    correlation.end()
