"""Workers: one for each queue and operation, and a sweep that is not long ago."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.core.settings import Settings
from app.db.statements.doctor import COUNT_LIVE_WORKERS, FIND_LAST_SWEEP
from app.db.statements.served_operations import KnownOperation
from app.doctor.finding import Finding, doubtful, fine, wrong
from app.doctor.of_postgres import connected
from app.operations.known import list_operations
from app.operations.lacking import queues_without_worker
from handlers import Registry
from handlers.load import load_handlers

_ABOUT = "workers"
# Sweeps that may be missed, and the seconds that are long in any case.
_MISSED, _LONG = 10, 30.0
_START = "start the Procfile's lines worker and slow"
# Which of them takes from a queue.
_LINES = {"fast": "worker"}


def look_at_workers(settings: Settings) -> Iterator[Finding]:
    """Nothing where Postgres cannot be asked, or has no tables: that is told elsewhere."""
    own = load_handlers(settings.handlers, http_bases=settings.http_handler_bases)
    with connected(settings) as engine:
        try:
            with engine.connect() as connection:
                found = [*_alive(connection, own, settings), *_sweep(connection, settings)]
        except DBAPIError:
            return
    yield from found


def _alive(connection: Connection, own: Registry, settings: Settings) -> Iterator[Finding]:
    stale = {"stale": settings.heartbeat_timeout}
    alive = connection.execute(COUNT_LIVE_WORKERS, stale).one()
    machines = "1 machine" if alive.machines == 1 else f"{alive.machines} machines"
    said = f"{alive.processes} processes on {machines} live"
    yield fine(_ABOUT, said) if alive.processes else wrong(_ABOUT, "none lives", _START)
    lacking = queues_without_worker(connection, own, settings)
    for queue in lacking:
        yield wrong(
            _ABOUT,
            f"none takes from the queue {queue}",
            f"start the Procfile's line {_LINES.get(queue, queue)}; /readyz waits for it, too",
        )
    known = list_operations(connection, stale=settings.heartbeat_timeout)
    served = {one.name for one in known if one.served}
    # Where nobody takes from the queue at all, that says it.
    missing = [one.name for one in own if one.name not in served and one.queue not in lacking]
    if missing and alive.processes:
        yield wrong(
            "operations",
            f"no live worker has {', '.join(missing)}",
            "give workers the same HANDLERS and packages as this process",
        )
    yield from _other_bases(own, known)


def _other_bases(own: Registry, known: list[KnownOperation]) -> Iterator[Finding]:
    """Operations that this process has for other bases than the one that told of them last."""
    told = {one.name: (one.description or {}).get("bases") for one in known if one.served}
    for one in own:
        bases = told.get(one.name)
        if bases is not None and set(bases) != set(one.bases):
            here = _listed(one.bases)
            yield doubtful(
                "operations",
                f"{one.name} has the bases {_listed(bases)} elsewhere, and {here} here",
                "give web, workers and this process the same HTTP_HANDLER_BASES",
            )


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _sweep(connection: Connection, settings: Settings) -> Iterator[Finding]:
    ago = connection.execute(FIND_LAST_SWEEP).scalar()
    if ago is None or ago > max(_LONG, _MISSED * settings.sweep_interval):
        said = "there has been none" if ago is None else f"the last was {ago:,.0f} s ago"
        yield wrong("sweep", said, "start the Procfile's lines beat and worker")
    else:
        yield fine("sweep", f"the last was {ago:,.1f} s ago")
