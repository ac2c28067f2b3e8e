"""The sweep sees workers that live and take nothing."""

from __future__ import annotations

import structlog

from app.db import transaction
from app.db.statements.workers import FIND_STARVING_WORKERS
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)


def note_starving_workers(runtime: Runtime) -> int:
    """Log each, and say how many. They end themselves, and their slots do not count meanwhile."""
    settings = runtime.settings
    when = {"stale": settings.heartbeat_timeout, "patience": settings.starving_seconds}
    with transaction(runtime.engine) as connection:
        found = connection.execute(FIND_STARVING_WORKERS, when).all()
    for worker in found:
        log.warning(
            "worker.starving",
            worker=str(worker.id),
            host=worker.hostname,
            pid=worker.pid,
            queue=worker.queue,
        )
    return len(found)
