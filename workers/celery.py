"""The Celery application: `celery -A workers.celery worker`."""

from __future__ import annotations

from celery import Celery

from app.broker import configure
from app.logs import set_up_logs
from app.settings import load_settings

settings = load_settings()
set_up_logs(settings)

app = Celery("batchline", include=["workers.tasks"])
configure(app, settings)
app.conf.beat_schedule = {
    "sweep": {
        "task": "batchline.sweep",
        "schedule": settings.sweep_interval,
        # A sweep that could not be run in time is worth nothing: the next one does its work.
        "options": {"expires": max(10.0, settings.sweep_interval * 3), "queue": "control"},
    },
}
