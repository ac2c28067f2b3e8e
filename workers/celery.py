"""The Celery application: `celery -A workers.celery worker`."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from functools import partial
from typing import Any

import celery.app.log
import celery.apps.worker
from celery import Celery, signals
from celery.exceptions import CPendingDeprecationWarning

from app.core.log_lines import ObjectLines, print_objects_if_asked, say_at_once
from app.core.logs import set_up_logs
from app.core.settings import load_settings
from app.messaging.broker import configure
from workers.flower_access import guard_flower
from workers.printed import PrintedLines
from workers.schedule import every

print_objects_if_asked()
settings = load_settings()
set_up_logs(settings)
guard_flower(settings, sys.argv, os.environ)

app = Celery("batchline", include=["workers.tasks"])
app.events_cls = "workers.events:Events"
configure(app, settings)
app.conf.beat_schedule = {
    "sweep": {
        "task": "batchline.sweep",
        "schedule": every(settings.sweep_interval),
        # A sweep that could not run in time is of no use: the next one does its work. Celery's
        # `expires` would compare clocks of two machines, so RabbitMQ drops it by counting seconds
        # (`expiration`), and with Redis workers skip sweeps that follow too closely (tasks.py).
        "options": {"expiration": max(10.0, settings.sweep_interval * 3), "queue": "control"},
    },
}
# Without a file of when tasks last ran: those times are by a clock that may have been wrong.
app.conf.beat_scheduler = "celery.beat:Scheduler"


# Celery's own makes a record of each part of what is printed.
vars(celery.app.log)["LoggingProxy"] = PrintedLines

if isinstance(sys.stderr, ObjectLines):
    # What Celery says from the handler of a signal, past everything else.
    vars(celery.apps.worker)["safe_say"] = partial(say_at_once, logger="celery")


@signals.after_setup_logger.connect
def _log_of_processes(**_: Any) -> None:
    """Have what is said of a pool's processes written as all the rest; Celery does it by itself."""
    processes = logging.getLogger("multiprocessing")
    processes.handlers = []
    processes.propagate = True


@signals.celeryd_after_setup.connect
def _do_not_warn(**_: Any) -> None:
    """Silence a warning at each loss of the broker: that tasks go on then is intended."""
    warnings.filterwarnings("ignore", r"\s*In Celery 5\.1 ", CPendingDeprecationWarning)
