"""The parts of a worker process, made once in each process, after it was forked."""

from __future__ import annotations

import gc
import os
import resource
import threading
from typing import Any
from uuid import UUID

import structlog
from billiard import current_process
from celery import signals
from sqlalchemy import Engine

from app.core.ids import new_id
from app.core.tracing import trace_worker
from app.db import make_engine, pools
from app.events.listeners import listen_with
from app.messaging.broker import (
    ADVANCE_TASK,
    CONTROL_QUEUE,
    DELIVER_TASK,
    FAST_QUEUE,
    LONGEST_COUNTDOWN,
    SLOW_QUEUE,
    turn_queue,
)
from app.metrics.listener import RedisListener, impatient_redis
from app.operations.publishing import Publisher
from handlers.load import load_handlers
from workers.celery import app, settings
from workers.deaths import note_deaths
from workers.engine.figures.costs import CostBook
from workers.engine.figures.slots import SlotCount
from workers.engine.outcome.fail_slice import end_overrun
from workers.engine.plan.chords import queue_depth, send_wave
from workers.engine.process.heartbeat import Heartbeat
from workers.engine.process.sessions import heartbeat_name, session_name
from workers.engine.process.slots import Slots
from workers.engine.process.watchdog import Board, Watch, Watchdog
from workers.engine.runtime import Runtime
from workers.preflight import check_handlers
from workers.shutdown import stop, stop_sign
from workers.starvation import watch_for_starvation

log = structlog.get_logger(__name__)

_runtime: tuple[int, Runtime] | None = None
_making = threading.Lock()
# Seconds without a sweep after which beat, or the queue, is taken to be at a standstill.
_LONGEST_UNSWEPT = 5.0
# Shared with the children that will be forked.
_board = Board()
# What the worker's command line said, as the worker itself tells it when it starts.
_consuming = FAST_QUEUE
_slots = 1
_queues: tuple[str, ...] = (FAST_QUEUE,)
_slots_used = Slots(1)
_threaded = False
# The line whose slices a worker runs, by what it consumes.
_LINES = {FAST_QUEUE: "fast", SLOW_QUEUE: "slow"}
# Seconds for which what is known of costs and slots is kept.
_KEPT = 1.0


def runtime() -> Runtime:
    """This process's runtime; the first call makes it."""
    global _runtime
    with _making:
        if _runtime is None or _runtime[0] != os.getpid():
            _runtime = (os.getpid(), _make())
        return _runtime[1]


def _make() -> Runtime:
    settings.require_servers()
    worker_id = new_id()
    database = settings.database_url or ""
    engine = make_engine(database, name=session_name(worker_id), pool_size=pools.of_slots(_slots))

    def send_advance(batch_id: UUID, delay: float) -> None:
        # Seconds. What is due later than this is left to the sweep.
        if delay > LONGEST_COUNTDOWN:
            return
        try:
            app.send_task(
                ADVANCE_TASK,
                kwargs={"batch_id": str(batch_id)},
                queue=CONTROL_QUEUE,
                countdown=delay or None,
                ignore_result=True,
            )
        except Exception as error:  # kombu raises its transports' own errors, whatever they are
            log.warning("advance.not_sent", batch=str(batch_id), error=str(error))

    def send_turn(batch_id: UUID, line: str) -> None:
        try:
            app.send_task(
                ADVANCE_TASK,
                kwargs={"batch_id": str(batch_id)},
                queue=turn_queue(line),
                ignore_result=True,
            )
        except Exception as error:  # kombu raises its transports' own errors, whatever they are
            log.warning("turn.not_sent", batch=str(batch_id), error=str(error))

    registry = load_handlers(settings.handlers, http_bases=settings.http_handler_bases)
    child = _child_number()
    starvation = watch_for_starvation(app, settings, _slots_used, _queues, child is not None)
    if not child:  # of a pool's processes one is enough, since all have the same
        Publisher(engine, registry).publish_soon(again_after=settings.heartbeat_interval)
    trace_worker(engine)
    listen_with(RedisListener(impatient_redis(settings.redis_url or ""), registry))
    return Runtime(
        settings=settings,
        engine=engine,
        registry=registry,
        heartbeat=Heartbeat(
            worker_id,
            make_engine(database, name=heartbeat_name(worker_id), pool_size=pools.HEARTBEAT),
            queue=_consuming,
            slots=_slots,
            interval=settings.heartbeat_interval,
            swept_within=max(_LONGEST_UNSWEPT, 3 * settings.sweep_interval),
            main_pid=None if child is None else os.getppid(),
            operations=[operation.name for operation in registry],
            queues=_queues,
            slots_used=_slots_used,
            starving=lambda: starvation.seconds,
        ),
        queue_depth=lambda queue: queue_depth(app, queue),
        send_wave=lambda batch_id, wave, slices: send_wave(
            app, runtime().known, batch_id, wave, slices
        ),
        send_advance=send_advance,
        send_turn=send_turn,
        costs=CostBook(_KEPT),
        slots=SlotCount(settings.heartbeat_timeout, _KEPT),
        line=_LINES.get(_consuming),
        stopping=stop_sign,
        watch=_watch(engine),
    )


def call_webhook(webhook_id: UUID) -> None:
    """Have a worker look for what is due for webhooks. A broker that is away is not told."""
    try:
        app.send_task(
            DELIVER_TASK,
            kwargs={"webhook_id": str(webhook_id)},
            queue=SLOW_QUEUE,
            ignore_result=True,
            retry=False,
        )
    except Exception as error:  # kombu raises its transports' own errors, whatever they are
        log.warning("webhook.not_called", webhook=str(webhook_id), error=str(error))


def consumed_queues() -> tuple[str, ...]:
    """The queues that this worker takes from."""
    return _queues


@signals.celeryd_after_setup.connect
def _note_options(instance: Any = None, **_: Any) -> None:
    """Remember what this worker consumes, before it forks, and that it has handlers to do it."""
    global _consuming, _slots, _threaded, _queues, _slots_used
    queues = set(instance.app.amqp.queues.consume_from)
    _queues = tuple(sorted(queues))
    if FAST_QUEUE not in queues:
        _consuming = SLOW_QUEUE if SLOW_QUEUE in queues else CONTROL_QUEUE
    pool = getattr(instance.pool_cls, "__module__", "")
    _threaded = not pool.endswith(("prefork", "solo"))
    check_handlers(settings, apart=pool.endswith("prefork"))
    _slots = int(instance.concurrency or 1) if _threaded else 1
    _slots_used = Slots(_slots)


@signals.task_prerun.connect
def _note_task(**_: Any) -> None:
    _slots_used.began()


@signals.task_postrun.connect
def _note_end_of_task(**_: Any) -> None:
    _slots_used.ended()


def _collect_less_often() -> None:
    """Make Python's garbage collector run less often.

    A slice makes thousands of objects that live until it is done, in a process that holds some
    hundred thousand permanently. With its defaults the collector scans them again and again, which
    costs a tenth of a slice's time.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _limit_memory() -> None:
    """Limit memory, so that a greedy item fails before the kernel kills another process."""
    if limit := settings.worker_memory_mib * 1024 * 1024:
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


@signals.worker_process_init.connect
def _start_child(**_: Any) -> None:
    """Start a prefork child's heartbeat at once, so that the planner and /readyz count it."""
    runtime().heartbeat.start()
    _limit_memory()
    _collect_less_often()


@signals.worker_process_shutdown.connect
def _stop_child(**_: Any) -> None:
    if _runtime is not None and _runtime[0] == os.getpid():
        _runtime[1].heartbeat.stop()


@signals.worker_ready.connect
def _start_worker(sender: Any = None, **_: Any) -> None:
    """Start a worker: its heartbeat if it runs slices itself, or the watch over its children."""
    pool = getattr(sender, "pool", None)
    if type(pool).__module__.endswith("prefork"):
        _board.guard()
        note_deaths(pool, settings.database_dsn or "")
    else:
        runtime().heartbeat.start()


@signals.worker_shutting_down.connect
def _stop_soon(how: str = "Warm", **_: Any) -> None:
    """Stop on SIGTERM, or on SIGQUIT without waiting."""
    stop(settings, _own_id, at_once=how == "Cold")


def _own_id() -> UUID | None:
    return _runtime[1].heartbeat.worker_id if _runtime and _runtime[0] == os.getpid() else None


@signals.worker_shutdown.connect
def _stop_worker(**_: Any) -> None:
    if _runtime is not None and _runtime[0] == os.getpid():
        _runtime[1].heartbeat.stop()


def _watch(engine: Engine) -> Watch:
    """The watchdog of this process; none if it has threads, whose calls can be abandoned."""
    if _threaded:
        return Watch()
    return Watchdog(lambda overrun: end_overrun(engine, overrun), _board, _child_number())


def _child_number() -> int | None:
    """The number of this process in its pool; None if it is not a prefork child."""
    number = getattr(current_process(), "index", None)
    return number if isinstance(number, int) else None
