"""Sending a wave: one Celery chord, a header task per slice, `settle` as callback and errback.

The chord is the quick way to learn that a wave is done, and not the only one: if its callback never
comes, the sweep notices.
"""

from __future__ import annotations

from uuid import UUID

import structlog
from amqp.exceptions import ChannelError
from celery import Celery, chord

from app.messaging.broker import CONTROL_QUEUE, HARD_TIME_LIMIT
from handlers import Registry
from workers.engine.planned_slice import PlannedSlice

RUN_SLICE = "batchline.slice"
_NOT_FOUND = "404"
SETTLE = "batchline.settle"
# Seconds that a slice may take beyond one handler call that uses all of its time limit.
BESIDE = 60.0
log = structlog.get_logger(__name__)


def send_wave(
    celery: Celery,
    registry: Registry,
    batch_id: UUID,
    wave: int,
    slices: list[tuple[int, PlannedSlice]],
) -> None:
    """Publish the chord of a wave's slices, given with their numbers.

    A broker that is away is logged, not raised: the rows are written, and the sweep sends slices
    again that no worker has claimed.
    """
    header = [
        celery.signature(
            RUN_SLICE,
            kwargs={"batch_id": str(batch_id), "wave": wave, "number": number},
            options={
                "queue": planned.queue,
                "ignore_result": True,
                "countdown": planned.delay or None,
                # Beyond the engine's own time limits, for a process that cannot keep them.
                "time_limit": _hard_limit(registry, planned.operation),
                # What Flower and the logs show the task as.
                "shadow": f"{RUN_SLICE} {planned.operation or 'mixed'}",
            },
            immutable=True,
        )
        for number, planned in slices
    ]
    settle = celery.signature(
        SETTLE,
        kwargs={"batch_id": str(batch_id), "wave": wave},
        options={"queue": CONTROL_QUEUE, "ignore_result": True},
        immutable=True,
    )
    settle.link_error(settle.clone())
    try:
        chord(header, settle, app=celery).apply_async()
    except Exception as error:  # kombu and redis raise their own errors, whatever they are
        log.warning("wave.not_sent", batch=str(batch_id), wave=wave, error=str(error))


def _hard_limit(registry: Registry, operation: str | None) -> float:
    known = registry.get(operation)
    limits = [one.timeout_seconds for one in ([known] if known else registry)]
    return max(HARD_TIME_LIMIT, max(limits, default=0.0) + BESIDE)


def queue_depth(celery: Celery, queue: str) -> int | None:
    """How many messages wait in `queue`, or None where the broker does not say."""
    try:
        with celery.connection_or_acquire() as connection:
            return int(connection.default_channel.queue_declare(queue, passive=True).message_count)
    except ChannelError as error:
        # Redis has no empty lists; in RabbitMQ the queue and all in it are gone.
        return 0 if str(error.reply_code) == _NOT_FOUND else None
    except Exception as error:  # each transport has its own errors
        log.info("queue.depth_unknown", queue=queue, error=str(error))
        return None
