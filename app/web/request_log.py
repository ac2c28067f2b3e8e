"""Every request: its id in and out, its address, and one log line when it is answered."""

from __future__ import annotations

import time

import structlog
from flask import Flask, Response, g, request

from app.core import actor, correlation
from app.web import address
from app.web.services import services

log = structlog.get_logger(__name__)

# Polled every few seconds by whatever monitors the process: logged at the level debug.
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


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
    say = log.debug if request.path in _QUIET else log.info
    say(
        "request.answered",
        method=request.method,
        path=request.path,
        status=response.status_code,
        seconds=round(time.monotonic() - g.begun, 4),
    )
    return response


def _end(_: BaseException | None) -> None:
    actor.end()
    correlation.end()
