"""The Celery application: `celery -A workers.celery worker`."""

from __future__ import annotations

import warnings
from typing import Any

from celery import Celery, signals
from celery.exceptions import CPendingDeprecationWarning

from app.core.logs import set_up_logs
from app.core.settings import load_settings
from app.messaging.broker import configure
from workers.schedule import every

settings = load_settings()
set_up_logs(settings)

app = Celery("batchline", include=["workers.tasks"])
configure(app, settings)
app.conf.beat_schedule = {
    "sweep": {
        "task": "batchline.sweep",
        "schedule": every(settings.sweep_interval),
        # A sweep that could not be run in time is worth nothing: the next one does its work. It
        # does not expire, though, which the worker would judge by its own clock; RabbitMQ counts
        # the seconds (`expiration`), and workers do not sweep too often.
        "options": {"expiration": max(10.0, settings.sweep_interval * 3), "queue": "control"},
    },
}
# What beat remembers of its last life are moments by a clock that may have been wrong.
app.conf.beat_scheduler = "celery.beat:Scheduler"


@signals.celeryd_after_setup.connect
def _do_not_warn(**_: Any) -> None:
    """Of tasks that are not ended when the broker is lost, at each loss: it is meant so."""
    warnings.filterwarnings("ignore", r"\s*In Celery 5\.1 ", CPendingDeprecationWarning)
