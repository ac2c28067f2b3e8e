"""Webhooks in the workers: who sends what is due, and how the sweep has it looked for.

Each process that runs slices of the slow line has a sender, with threads and a connection pool of
its own (app/webhooks/sender.py). It is told over Redis that something is due. Where none hears
that, the task `batchline.deliver` tells it, which the workers of the release before know as well.
"""

from __future__ import annotations

import os
import time
from uuid import UUID

import structlog
from celery import signals
from redis import Redis, RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import BatchlineError
from app.db import make_engine, pools, transaction
from app.events.listeners import listener
from app.events.notify import notify_senders
from app.messaging.broker import SLOW_QUEUE
from app.metrics.listener import impatient_redis
from app.webhooks.claiming import call_due, end_revoked, is_any_due, nothing_left
from app.webhooks.delivery_log import FORGET_AT_ONCE, KEPT_DAYS, forget_old
from app.webhooks.policies import policy_of
from app.webhooks.sender import Sender
from app.webhooks.trimming import Trimming
from workers.celery import settings
from workers.engine.runtime import Runtime
from workers.wiring import call_webhook, consumed_queues

log = structlog.get_logger(__name__)

# Seconds before a worker's end in which what is still being sent is given back.
_TO_GIVE_BACK = 1.0
# Seconds between two looks for deliveries that are too old to keep, unless there are more of them.
_FORGET_EVERY = 60.0
_forgot_at = float("-inf")
_trimming = Trimming()
_sender: tuple[int, Sender] | None = None
_stop_by = 0.0


def look(runtime: Runtime, webhook_id: UUID) -> None:
    """Have this process's sender look for what is due: of that webhook, or whoever comes first."""
    if _sender is not None and _sender[0] == os.getpid():
        _sender[1].look()
    with transaction(runtime.engine) as connection:
        nothing_left(connection, webhook_id)


def have_due_sent(runtime: Runtime) -> int:
    """Tell the senders if something is due that nobody was told of. For the sweep."""
    with transaction(runtime.engine) as connection:
        _keep_short(runtime, connection)
        if not is_any_due(connection):
            return 0
    if _told():
        return 1
    with transaction(runtime.engine) as connection:
        due = call_due(connection)
    for webhook_id in due:
        call_webhook(webhook_id)
    return len(due)


def _keep_short(runtime: Runtime, connection: Connection) -> None:
    """Remove what is too old to keep, and too much of it; end what will never be sent."""
    global _forgot_at
    _trimming.step(connection)
    if time.monotonic() - _forgot_at > _FORGET_EVERY:
        end_revoked(connection)
        days = runtime.settings.retention_days or KEPT_DAYS
        if forget_old(connection, days=days) < FORGET_AT_ONCE:
            _forgot_at = time.monotonic()


def _told() -> bool:
    """Whether a sender has heard that something is due."""
    with impatient_redis(settings.redis_url or "") as redis:
        try:
            return bool(notify_senders(redis))
        except RedisError as error:
            log.warning("webhook.nobody_told", error=str(error))
            return False


@signals.worker_process_init.connect
@signals.worker_ready.connect
def _start(sender: object = None, **_: object) -> None:
    """Send from this process, if it runs slices of the slow line itself."""
    global _sender
    pool = getattr(sender, "pool", None)
    if type(pool).__module__.endswith("prefork") or SLOW_QUEUE not in consumed_queues():
        return  # a parent, whose children do it; or not its line
    made = Sender(
        make_engine(
            settings.database_url or "", name="batchline-webhooks", pool_size=pools.WEBHOOKS
        ),
        allowed=policy_of(settings),
        noted=lambda outcome: listener().webhook_tried(outcome),
    )
    made.start(
        Redis.from_url(
            settings.redis_url or "",
            socket_timeout=5,
            socket_connect_timeout=2,
            health_check_interval=25,
        )
    )
    _sender = (os.getpid(), made)


@signals.worker_shutting_down.connect
def _stop_soon(**_: object) -> None:
    global _stop_by
    _stop_by = time.monotonic() + settings.worker_stop_seconds - _TO_GIVE_BACK
    if _sender is not None and _sender[0] == os.getpid():
        _sender[1].stop()


@signals.worker_process_shutdown.connect
@signals.worker_shutdown.connect
def _stop(**_: object) -> None:
    if _sender is None or _sender[0] != os.getpid():
        return
    try:
        _sender[1].close(_stop_by - time.monotonic())
    except (SQLAlchemyError, BatchlineError) as error:  # then the claims become void
        log.warning("webhook.not_given_back", error=str(error))
