"""/healthz: the process answers. /readyz: Postgres, the broker and a worker answer too."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import structlog
from flask import Flask, Response, current_app
from kombu import Connection

from app.core.errors import Unavailable
from app.db import transaction
from app.db.statements.gauges import HAS_WORKER, SELECT_TRUE
from app.web.blueprint import Blueprint
from app.web.responses import answer
from app.web.services import Services, services

log = structlog.get_logger(__name__)

blueprint = Blueprint("health", __name__, description="Whether it runs, and has what it needs.")

_PATIENCE = 2.0
_PROBES = "batchline.probes"


@blueprint.route("/healthz")
@blueprint.response(200, description="The process answers.")
def healthz() -> Response:
    """Say that the process is there"""
    return answer({"status": "ok"})


@blueprint.route("/readyz")
@blueprint.response(200, description="Everything that is needed is there.")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def readyz() -> Response:
    """Say whether Postgres, the broker and a worker are there

    503 names what is missing. Each is given two seconds.
    """
    missing = Probes.of(current_app).missing()
    if missing:
        raise Unavailable(f"Missing: {', '.join(missing)}.", retry_after=2)
    return answer({"status": "ready"})


class Probes:
    """Checks the services that the process needs, each in a thread, since a check may hang.

    While a check hangs, no second one of the same service is begun.
    """

    def __init__(self, here: Services) -> None:
        self._here = here
        self._probes: dict[str, Callable[[], bool]] = {
            "Postgres": self._postgres,
            "the broker": self._broker,
            "a live worker": self._worker,
        }
        self._executor = ThreadPoolExecutor(len(self._probes), thread_name_prefix="probe")
        self._running: dict[str, Future[bool]] = {}

    @staticmethod
    def of(flask: Flask) -> Probes:
        """The application's."""
        probes: Probes | None = flask.extensions.get(_PROBES)
        return probes or flask.extensions.setdefault(_PROBES, Probes(services()))

    def missing(self) -> list[str]:
        """The names of what is not there."""
        futures = {name: self._begin(name) for name in self._probes}
        wait(futures.values(), timeout=_PATIENCE)
        return [name for name, future in futures.items() if not _said_yes(name, future)]

    def _begin(self, name: str) -> Future[bool]:
        running = self._running.get(name)
        if running is None or running.done():
            running = self._running[name] = self._executor.submit(self._probes[name])
        return running

    def _postgres(self) -> bool:
        with transaction(self._here.engine) as connection:
            return bool(connection.execute(SELECT_TRUE).scalar())

    def _worker(self) -> bool:
        with transaction(self._here.engine) as connection:
            stale: Any = {"stale": self._here.settings.heartbeat_timeout}
            return bool(connection.execute(HAS_WORKER, stale).scalar())

    def _broker(self) -> bool:
        with Connection(
            self._here.settings.broker_url or "",
            connect_timeout=_PATIENCE,
            transport_options={
                "socket_timeout": _PATIENCE,
                "socket_connect_timeout": _PATIENCE,
                "max_retries": 0,
            },
        ) as connection:
            # Kombu connects to Redis only when there is a channel, and pings it then.
            channel: Any = connection.default_channel
            channel.close()
        return True


def _said_yes(name: str, future: Future[bool]) -> bool:
    if not future.done():
        log.warning("readiness.missing", what=name, error="no answer in time")
        return False
    error = future.exception()
    if error is not None:
        log.warning("readiness.missing", what=name, error=str(error))
        return False
    return future.result()
