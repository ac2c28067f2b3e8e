"""Gauges: read from their sources when Prometheus asks.

Only what is unfinished is looked at, by indexes that hold nothing else: the cost is that of the
work under way, whatever has ended before. No item is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from celery import Celery
from prometheus_client import Metric as Family
from prometheus_client.core import GaugeMetricFamily
from redis import Redis
from sqlalchemy import Connection, Engine

from app.batches.batch_view import BATCH_COLUMNS
from app.batches.breakers.reading import Breakers
from app.db import transaction
from app.db.statements.batch_views import sum_unfinished_batches
from app.db.statements.gauges import (
    COUNT_IN_LINE,
    COUNT_SLICES,
    COUNT_WORKERS,
    FIND_LONGEST_WAIT,
)
from app.messaging.depths import queue_depths
from app.metrics import catalogue
from app.metrics.catalogue import Metric
from app.metrics.counters import LAST_SWEEP_KEY
from app.operations.known import is_remembered, list_operations
from app.webhooks.delivery_log import count_pending

_UNFINISHED = sum_unfinished_batches(BATCH_COLUMNS)


def read_database(
    engine: Engine, *, own: Iterable[str], stale: float, patience: float
) -> Iterator[Family]:
    """What Postgres knows. `stale`: seconds after which a silent worker counts as gone.

    `own`: the operations of this process, which are told of whether a worker has them or not.
    `patience`: seconds after which a worker that takes nothing counts as such.
    """
    with transaction(engine) as connection:
        families = [
            *_batches(connection),
            *_slices(connection),
            *_workers(connection, stale, patience),
            *_operations(connection, own, stale),
            *_webhooks(connection),
            _family(
                catalogue.OLDEST_WAITING,
                {(): max(0.0, float(connection.execute(FIND_LONGEST_WAIT).scalar_one()))},
            ),
        ]
    yield from families


def read_broker(celery: Celery) -> Iterator[Family]:
    """How many messages wait in each queue. Raises what the broker's library raises."""
    with celery.connection_for_read() as connection:
        found = queue_depths(connection)
    depths: dict[tuple[str, ...], float] = {(name,): float(n) for name, n in found.items()}
    yield _family(catalogue.QUEUE_MESSAGES, depths)


def read_redis(redis: Redis) -> Iterator[Family]:
    """When the sweep last ran; 0 if it never did. Raises RedisError."""
    at: Any = redis.get(LAST_SWEEP_KEY)
    yield _family(catalogue.LAST_SWEEP, {(): float(at or 0)})


def source_up(sources: dict[str, bool]) -> Family:
    """Which of the sources of all this could be read."""
    return _family(catalogue.SOURCE_UP, {(name,): float(up) for name, up in sources.items()})


def _batches(connection: Connection) -> Iterator[Family]:
    batches: dict[tuple[str, ...], float] = {}
    items: dict[tuple[str, ...], float] = {}
    for row in connection.execute(_UNFINISHED):
        operation = row.operation or "mixed"
        batches[row.status, operation] = float(row.batches)
        ended = row.completed + row.failed + row.invalid + row.canceled
        for status, number in (
            ("PENDING", row.total - ended - row.running),
            ("RUNNING", row.running),
            ("SUCCESS", row.completed),
            ("FAILED", row.failed),
            ("INVALID", row.invalid),
            ("CANCELED", row.canceled),
        ):
            items[status, operation] = items.get((status, operation), 0.0) + float(number)
    yield _family(catalogue.BATCHES, batches)
    yield _family(catalogue.ITEMS, items)


def _slices(connection: Connection) -> Iterator[Family]:
    rows = connection.execute(COUNT_SLICES)
    yield _family(catalogue.SLICES, {(row.state, row.queue): float(row.number) for row in rows})
    rows = connection.execute(COUNT_IN_LINE)
    yield _family(catalogue.BATCHES_IN_LINE, {(row.queue,): float(row.number) for row in rows})


def _workers(connection: Connection, stale: float, patience: float) -> Iterator[Family]:
    rows = connection.execute(COUNT_WORKERS, {"stale": stale, "patience": patience}).all()
    yield _family(catalogue.WORKERS, {(row.queue,): float(row.number) for row in rows})
    yield _family(catalogue.WORKER_SLOTS, {(row.queue,): float(row.slots) for row in rows})
    yield _family(catalogue.WORKERS_STARVING, {(row.queue,): float(row.starving) for row in rows})


def _operations(connection: Connection, own: Iterable[str], stale: float) -> Iterator[Family]:
    published = list_operations(connection, stale=stale)
    served: dict[tuple[str, ...], float] = {(name,): 0.0 for name in own}
    served |= {
        (one.name,): float(one.served)
        for one in published
        if (one.name,) in served or is_remembered(one)
    }
    yield _family(catalogue.OPERATION_SERVED, served)
    known = [(one.name, one.description or {}) for one in published if (one.name,) in served]
    kept = Breakers(connection).openness(known)
    yield _family(catalogue.BREAKER_OPEN, {names: float(is_) for names, is_ in kept.items()})


def _webhooks(connection: Connection) -> Iterator[Family]:
    pending, overdue = count_pending(connection)
    yield _family(catalogue.WEBHOOKS_PENDING, {(): float(pending)})
    yield _family(catalogue.WEBHOOKS_OVERDUE, {(): overdue})


def _family(metric: Metric, values: dict[tuple[str, ...], float]) -> Family:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in sorted(values.items()):
        family.add_metric(labels, value)
    return family
