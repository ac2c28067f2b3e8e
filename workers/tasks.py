"""The tasks, thin callers of the engine. Names and arguments are what Flower shows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import workers.correlation  # noqa: F401 (it listens to what Celery says of tasks)
from app.messaging.broker import DELIVER_TASK, WORKER_LOST_DELAY
from workers import webhooks
from workers.celery import app, settings
from workers.engine.run import run_slice as slicing
from workers.engine.run import turns
from workers.schedule import Pace
from workers.sweeping import sweep_once
from workers.wiring import runtime

_OPTIONS: dict[str, Any] = {
    "ignore_result": True,
    "max_retries": 5,
    "default_retry_delay": WORKER_LOST_DELAY,
    "Request": "workers.delays:Request",
}
# After a time without workers several sweeps are in the queue; the first one does the work of all.
_pace = Pace(settings.sweep_interval / 4)


@app.task(name="batchline.advance", **_OPTIONS)
def advance(batch_id: str) -> None:
    """Move on what is next in line, and run it where that is one slice."""
    turns.move_on(runtime(), UUID(batch_id))


@app.task(name="batchline.slice", **_OPTIONS)
def run_slice(batch_id: str, wave: int, number: int) -> None:
    """Process the items of one slice. Never raises for what an item does."""
    claimed = slicing.run_slice(runtime(), UUID(batch_id), wave, number)
    if claimed is not None:
        turns.refill(runtime(), claimed.line)


@app.task(name="batchline.settle", **_OPTIONS)
def settle(batch_id: str, wave: int) -> None:  # noqa: ARG001 (the wave is for those who watch)
    """Move a batch on, as a wave of it is done: plan what is left of it, or settle it."""
    turns.settle_wave(runtime(), UUID(batch_id))


# Flower is for work to be seen in: it is told nothing of what is done each second.
@app.task(name="batchline.sweep", send_events=False, **_OPTIONS)
def sweep() -> None:
    """Repair what crashes and lost messages left, and have due webhooks sent."""
    if not _pace.step():
        return
    sweep_once()


@app.task(name=DELIVER_TASK, **_OPTIONS)
def deliver(webhook_id: str) -> None:
    """Have what is due for webhooks sent, where nobody heard that something is."""
    webhooks.look(runtime(), UUID(webhook_id))
