"""How Celery is set up, for senders and for workers, each setting with its reason.

The engine does not trust the broker: batches and items are in Postgres, and whatever a message
was lost for is sent again by the sweep. These settings make that rare.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from celery import Celery, signals
from celery.app.amqp import AMQP
from kombu import Connection, Queue

from app.core.correlation import TASK_HEADER, current_request
from app.core.settings import Settings
from app.messaging.redis_transport import use_one_client

ADVANCE_TASK = "batchline.advance"
DELIVER_TASK = "batchline.deliver"
CONTROL_QUEUE = "control"
EXPRESS_QUEUE = "express"
FAST_QUEUE = "fast"
SLOW_QUEUE = "slow"
QUEUES = (CONTROL_QUEUE, EXPRESS_QUEUE, FAST_QUEUE, SLOW_QUEUE)

# Longer than any countdown we send, four hard time limits, and the lease of a chord's callback.
VISIBILITY_TIMEOUT = 600
WORKER_LOST_DELAY = 8
LONGEST_COUNTDOWN = 60
HARD_TIME_LIMIT = 140
# The header that says how many seconds a message is to wait (workers/delays.py).
DELAY_HEADER = "batchline_delay"
_RESULTS = "app.messaging.results:UnawaitedResults"
# Seconds that the broker may take while a caller waits for an answer.
_IMPATIENCE = 1


def turn_queue(line: str) -> str:
    """The queue for a message to whichever worker of the line ("fast" or "slow") is free next."""
    return SLOW_QUEUE if line == SLOW_QUEUE else EXPRESS_QUEUE


def configure(celery: Celery, settings: Settings, *, impatient: bool = False) -> None:
    """Set up `celery` for these servers. Connects to nothing yet.

    `impatient`: for a process that only sends, while somebody waits for its answer: a broker
    that does not react is an error within three seconds.
    """
    celery.amqp_cls = "app.messaging.broker:Amqp"
    use_one_client()
    celery.loader.override_backends = dict.fromkeys(("redis", "rediss"), _RESULTS)
    celery.conf.update(
        broker_url=settings.broker_url,
        result_backend=settings.result_backend_url,
        broker_transport_options=_transport_options(settings.broker_url or "", impatient),
        result_backend_transport_options={"visibility_timeout": VISIBILITY_TIMEOUT},
        broker_connection_retry_on_startup=True,
        # A worker waits for its broker for as long as it takes.
        broker_connection_max_retries=None,
        # RabbitMQ alone: what it refuses (a queue of this worker's that its lost connection still
        # holds, an acknowledgement that took too long) costs the connection, not the worker.
        broker_channel_error_retry=True,
        broker_connection_timeout=_IMPATIENCE if impatient else 4,
        # RabbitMQ alone: a peer that is gone without a word is noticed within a minute.
        broker_heartbeat=30,
        # Sending takes a millisecond, so few connections serve many threads; and nobody waits for
        # one for ever, as is the default.
        broker_pool_limit=min(32, max(10, settings.web_threads)),
        broker_pool_acquire_timeout=_IMPATIENCE if impatient else 10,
        redis_socket_timeout=30,
        redis_socket_connect_timeout=4,
        redis_retry_on_timeout=True,
        redis_socket_keepalive=True,
        redis_backend_health_check_interval=25,
        task_queues=[Queue(name) for name in QUEUES],
        task_default_queue=CONTROL_QUEUE,
        task_create_missing_queues=False,
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        # A message is acknowledged when its work is done, so that a killed worker's is given out
        # again. The retry delay is longer than the 6 s lease that the Redis backend takes on a
        # chord's callback, or a callback that dies inside it would never run.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_retry_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        # Deduplication by stored results keeps a redelivered header task from counting its part.
        worker_deduplicate_successful_tasks=False,
        # What runs when the connection to the broker is lost goes on: its message comes again, and
        # finds the slice taken. Ended, its items would count as held by a worker that died.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # In a worker with threads, giving back what was reduced reads from RabbitMQ's connection in
        # one thread while another reads from it, and both are lost.
        worker_enable_prefetch_count_reduction=False,
        # Header tasks return nothing: what happened is in the rows. Without results a child that
        # dies between storing one and counting its part cannot leave the chord hanging.
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        # Costs a third of the throughput of small tasks, and the rows say it anyway.
        task_track_started=False,
        # Two parts of a wave may be far apart where items are slow. (The join timeout keeps its
        # default: nothing is joined here, and that lease is twice as long as it.)
        result_expires=3600,
        result_chord_expires=7 * 24 * 3600,
        task_time_limit=HARD_TIME_LIMIT,
        # The soft shutdown waits for all of its time, whether anything runs or not, and cannot end
        # a thread. Workers see to it themselves that they end in time (workers/shutdown.py).
        worker_soft_shutdown_timeout=0,
        # Against leaks in handlers.
        worker_max_tasks_per_child=10_000,
        worker_max_memory_per_child=400_000,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        timezone="UTC",
        enable_utc=True,
    )


class _Connection(Connection):
    """Tries a broker that is away every few seconds, where Kombu's pauses grow to 30."""

    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        options.setdefault("interval_max", 4)
        return super().ensure_connection(*args, **options)


class Amqp(AMQP):
    """Celery's AMQP, with the connections above."""

    Connection = _Connection


@signals.before_task_publish.connect
def _pass_on(headers: dict[str, Any] | None = None, **_: Any) -> None:
    """Give the message that is about to be sent the id of the request that it comes of."""
    request_id = current_request()
    if request_id is not None and headers is not None:
        headers[TASK_HEADER] = request_id


@signals.before_task_publish.connect
def _delay(headers: dict[str, Any] | None = None, **_: Any) -> None:
    """Say a countdown in seconds, which whoever gets the message counts by its own clock.

    Celery says it as a moment by the sender's clock: between machines whose clocks differ by a
    minute, what should come in a second comes in a minute, or at once.
    """
    if headers and headers.get("eta"):
        moment = datetime.fromisoformat(headers["eta"])
        headers[DELAY_HEADER] = max(0.0, (moment - datetime.now(UTC)).total_seconds())
        headers["eta"] = None


def _transport_options(url: str, impatient: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"max_retries": 0} if impatient else {}
    if not url.startswith("redis"):
        timeout = _IMPATIENCE if impatient else 10
        # A message that RabbitMQ has not confirmed is not sent; one that hangs does so for a while.
        return {
            **options,
            "confirm_publish": True,
            "read_timeout": timeout,
            "write_timeout": timeout,
        }
    return {
        **options,
        "visibility_timeout": VISIBILITY_TIMEOUT,
        # Give a dead worker's messages back within seconds instead of a hundred.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "priority_steps": [0],
        # Every queue gets its turn, or one client's long batch would starve the rest.
        "queue_order_strategy": "round_robin",
        # The defaults wait for ever on a connection that is gone.
        "socket_timeout": _IMPATIENCE if impatient else 30,
        "socket_connect_timeout": _IMPATIENCE if impatient else 4,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }
