"""A worker that takes nothing ends itself: SIGTERM as at a deploy, SIGKILL if that does nothing.

Its processes learn each for itself that it is so (workers/engine/process/starving.py); what is at
fault is the worker's connection, so all of it ends. Whatever keeps workers running (`batchline
serve`, a container's restart policy) starts it again.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import suppress

from celery import Celery

from app.core.settings import Settings
from workers.engine.plan.chords import queue_depth
from workers.engine.process.slots import Slots
from workers.engine.process.starving import Starvation
from workers.shutdown import stop_sign

# Seconds that a worker may take to end beyond those that it has for its slices.
_BESIDE = 5.0


def watch_for_starvation(
    celery: Celery, settings: Settings, slots: Slots, queues: Sequence[str], child: bool
) -> Starvation:
    """Watch this process from now on. `child`: it belongs to a pool, whose worker is its parent."""
    main = os.getppid() if child else os.getpid()
    starvation = Starvation(
        slots,
        queues,
        lambda queue: queue_depth(celery, queue),
        patience=settings.starving_seconds,
        interval=settings.heartbeat_interval,
        excused=stop_sign.is_set,
        give_up=lambda: _end(main, settings.worker_stop_seconds + _BESIDE),
    )
    starvation.start()
    return starvation


def _end(pid: int, seconds: float) -> None:
    """Have the worker end, the hard way after so many seconds."""
    # A pool's processes notice it at about the same moment; one is enough to say so.
    time.sleep(random.uniform(0, 0.5))  # noqa: S311 (spreads, guards nothing)
    with suppress(ProcessLookupError):
        if not stop_sign.is_set():
            os.kill(pid, signal.SIGTERM)
        time.sleep(seconds)
        # Its children end when their parent is gone.
        if pid in (os.getpid(), os.getppid()):
            os.kill(pid, signal.SIGKILL)
