"""Where a worker process gets its parts: made once a process, after any fork."""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

from celery import signals

from app.broker import ADVANCE_TASK, CONTROL_QUEUE, FAST_QUEUE, LONGEST_COUNTDOWN, SLOW_QUEUE
from app.db import make_engine
from handlers.registry import load_handlers
from workers.celery import app, settings
from workers.engine.chords import send_wave
from workers.engine.identity import WorkerIdentity
from workers.engine.runtime import Runtime

_runtime: tuple[int, Runtime] | None = None
# What the worker's command line said, as the worker itself tells it when it starts.
_consuming = FAST_QUEUE
_slots = 1


def runtime() -> Runtime:
    """This process's runtime; the first call makes it."""
    global _runtime
    if _runtime is None or _runtime[0] != os.getpid():
        _runtime = (os.getpid(), _make())
    return _runtime[1]


def _make() -> Runtime:
    settings.require_servers()
    engine = make_engine(settings.database_url or "", name="batchline-worker", pool_size=_slots + 4)

    def send_advance(batch_id: UUID, delay: float) -> None:
        # What is further off than this the sweep finds when it is due.
        if delay <= LONGEST_COUNTDOWN:
            app.send_task(
                ADVANCE_TASK,
                kwargs={"batch_id": str(batch_id)},
                queue=CONTROL_QUEUE,
                countdown=delay or None,
                ignore_result=True,
            )

    return Runtime(
        settings=settings,
        engine=engine,
        registry=load_handlers(settings.handlers),
        identity=WorkerIdentity(
            engine, queue=_consuming, slots=_slots, interval=settings.heartbeat_interval
        ),
        send_wave=lambda batch_id, wave, slices: send_wave(app, batch_id, wave, slices),
        send_advance=send_advance,
    )


@signals.celeryd_after_setup.connect
def _note_options(sender: Any = None, instance: Any = None, **_: Any) -> None:
    """Remember what this worker consumes, before it forks."""
    global _consuming, _slots
    queues = set(instance.app.amqp.queues.consume_from)
    if FAST_QUEUE not in queues:
        _consuming = SLOW_QUEUE if SLOW_QUEUE in queues else CONTROL_QUEUE
    pool = getattr(instance.pool_cls, "__module__", "")
    _slots = 1 if pool.endswith(("prefork", "solo")) else int(instance.concurrency or 1)


@signals.worker_process_init.connect
def _start_child(**_: Any) -> None:
    """A prefork child: beat from the start, so that the planner and /readyz know of it."""
    runtime().identity.start()


@signals.worker_process_shutdown.connect
def _stop_child(**_: Any) -> None:
    if _runtime is not None and _runtime[0] == os.getpid():
        _runtime[1].identity.stop()


@signals.worker_ready.connect
def _start_threads(sender: Any = None, **_: Any) -> None:
    """A worker without children does the slices itself."""
    pool = type(getattr(sender, "pool", None)).__module__
    if not pool.endswith("prefork"):
        runtime().identity.start()


@signals.worker_shutdown.connect
def _stop_threads(**_: Any) -> None:
    if _runtime is not None and _runtime[0] == os.getpid():
        _runtime[1].identity.stop()
