"""/healthz: the process answers. /readyz: Postgres, the broker and workers do, too."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import marshmallow as ma
import structlog
from flask import Flask, Response, current_app
from kombu import Connection

from app.core.errors import Unavailable
from app.db import transaction
from app.db.statements.gauges import SELECT_TRUE
from app.operations.lacking import queues_without_worker
from app.web.blueprint import Blueprint
from app.web.copies import Copy
from app.web.responses import answer
from app.web.services import Services, services

log = structlog.get_logger(__name__)

blueprint = Blueprint("health", __name__, description="Whether it runs, and has what it needs.")

_PATIENCE = 2.0
# Seconds: as often as that the servers are asked, however many ask without credentials.
_KEPT_SECONDS = 1.0


class HealthSchema(ma.Schema):
    """How it is."""

    status = ma.fields.String(required=True, metadata={"example": "ok"})


_PROBES = "batchline.probes"


@blueprint.route("/healthz")
@blueprint.doc(operationId="getHealth")
@blueprint.response(200, HealthSchema, description="The process answers.")
def healthz() -> Response:
    """Say that the process is there"""
    return answer({"status": "ok"})


@blueprint.route("/readyz")
@blueprint.doc(operationId="getReadiness")
@blueprint.response(200, HealthSchema, description="Everything that is needed is there.")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def readyz() -> Response:
    """Say whether Postgres, the broker and workers are there

    A worker that takes messages is wanted for each queue that an operation needs. 503 names what is
    missing. Each is given two seconds. At most a second old.
    """
    missing = Probes.of(current_app).latest()
    if missing:
        raise Unavailable(f"Missing: {', '.join(missing)}.", retry_after=2)
    return answer({"status": "ready"})


class Probes:
    """Checks the services that the process needs, each in a thread, since a check may hang.

    A check answers with the names of what is missing. While it hangs, no second one of the same
    service is begun. However many ask for the latest, all are made at most once in a second, by one
    of them at a time: to each server that is two statements or one connection.
    """

    def __init__(self, here: Services) -> None:
        self._here = here
        self._probes: dict[str, Callable[[], list[str]]] = {
            "Postgres": self._postgres,
            "the broker": self._broker,
            "a live worker": self._workers,
        }
        self._executor = ThreadPoolExecutor(len(self._probes), thread_name_prefix="probe")
        self._running: dict[str, Future[list[str]]] = {}
        # Nobody takes one that is older: with those who wait for it others do not come to work.
        self._copy: Copy[list[str]] = Copy(_KEPT_SECONDS, too_old=2 * _PATIENCE)

    @staticmethod
    def of(flask: Flask) -> Probes:
        """The application's."""
        probes: Probes | None = flask.extensions.get(_PROBES)
        return probes or flask.extensions.setdefault(_PROBES, Probes(services()))

    def latest(self) -> list[str]:
        """The names of what was not there within the last second."""
        return self._copy.get(self.missing)

    def missing(self) -> list[str]:
        """The names of what is not there."""
        futures = {name: self._begin(name) for name in self._probes}
        wait(futures.values(), timeout=_PATIENCE)
        return [one for name, future in futures.items() for one in _missing(name, future)]

    def _begin(self, name: str) -> Future[list[str]]:
        running = self._running.get(name)
        if running is None or running.done():
            running = self._running[name] = self._executor.submit(self._probes[name])
        return running

    def _postgres(self) -> list[str]:
        with transaction(self._here.engine) as connection:
            connection.execute(SELECT_TRUE)
        return []

    def _workers(self) -> list[str]:
        with transaction(self._here.engine) as connection:
            lacking = queues_without_worker(
                connection, self._here.registry.own, self._here.settings
            )
        return [f"a worker for {queue}" for queue in lacking]

    def _broker(self) -> list[str]:
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
        return []


def _missing(name: str, future: Future[list[str]]) -> list[str]:
    """What the check found; its own name where it failed, or has not answered in time."""
    if not future.done():
        log.warning("readiness.missing", what=name, error="no answer in time")
        return [name]
    error = future.exception()
    if error is not None:
        log.warning("readiness.missing", what=name, error=str(error))
        return [name]
    return future.result()
