"""The sweep in a worker process: as beat's task, or by itself where none came for too long.

Without beat, and where the queue that brings its message stands still, nothing would be repaired,
and no schedule would begin. So each process looks with its heartbeat when the last sweep was; the
one that comes first sweeps, in a thread of its own.
"""

from __future__ import annotations

import os
import threading

import structlog
from celery import signals
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import BatchlineError
from app.events.listeners import listener
from workers import webhooks
from workers.engine.rescue import sweep as sweeping
from workers.shutdown import stop_sign
from workers.wiring import runtime

log = structlog.get_logger(__name__)


def sweep_once() -> None:
    """Repair what crashes and lost messages left, and have due webhooks sent."""
    done = sweeping.sweep(runtime(), {"webhooks": webhooks.have_due_sent})
    if done:
        listener().swept(done)


class _Sweeper:
    """Sweeps in a thread of its own, each time it is asked to while it rests."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        threading.Thread(target=self._work, name="sweeper", daemon=True).start()

    def ask(self) -> None:
        """Have it sweep. Takes no time."""
        self._asked.set()

    def _work(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            if stop_sign.is_set():
                return
            log.info("sweep.overdue")
            try:
                sweep_once()
            except (SQLAlchemyError, BatchlineError) as error:
                log.warning("sweep.failed", error=str(error))


_sweeper: tuple[int, _Sweeper] | None = None


@signals.worker_process_init.connect
@signals.worker_ready.connect
def _be_ready(sender: object = None, **_: object) -> None:
    """Sweep by itself in each process that has a heartbeat: a pool's child, or what has none."""
    global _sweeper
    pool = getattr(sender, "pool", None)
    if type(pool).__module__.endswith("prefork"):
        return  # the parent, whose children do it
    _sweeper = (os.getpid(), _Sweeper())
    runtime().heartbeat.when_overdue(_sweeper[1].ask)
