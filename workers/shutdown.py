"""SIGTERM: a worker finishes what is under way, and always ends within `WORKER_STOP_SECONDS`.

Celery by itself waits for whatever runs, however long it takes; its soft shutdown always waits for
all of its time, and leaves the threads of a pool of threads running.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import structlog
from billiard import active_children

from app.core.settings import Settings
from app.db import make_engine, transaction
from workers.engine.process.hand_back import give_back, workers_of
from workers.engine.process.stop_sign import StopSign

log = structlog.get_logger(__name__)

stop_sign = StopSign()


def stop(settings: Settings, own_id: Callable[[], UUID | None], *, at_once: bool = False) -> None:
    """Have this process and its children stop; called once, by the process that has the pool.

    `own_id`: the worker id under which this process itself holds slices, if it does.
    """
    stop_sign.set()
    threading.Thread(
        target=_end_in_time,
        args=(settings, own_id, 0.0 if at_once else settings.worker_stop_seconds),
        name="stop",
        daemon=True,
    ).start()


def _end_in_time(settings: Settings, own_id: Callable[[], UUID | None], seconds: float) -> None:
    time.sleep(seconds)
    # Normally the process has ended before this. If not, it is ended here, whatever it is doing.
    try:
        children = [child.pid for child in active_children() if child.pid]
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        given = _give_back(settings, own_id(), children)
        log.warning("worker.stopped_late", seconds=seconds, slices_given_back=given)
    except Exception as error:  # then the sweep takes over, as from any dead process
        log.warning("slices.not_given_back", error=str(error))
    finally:
        os._exit(0)


def _give_back(settings: Settings, own_id: UUID | None, children: list[int]) -> int:
    # An engine of its own: the process's may have no connection left to give.
    engine = make_engine(settings.database_url or "", name="batchline-stop", pool_size=1)
    with transaction(engine) as connection:
        ids = workers_of(connection, children)
        return give_back(connection, ids + ([own_id] if own_id else []))
