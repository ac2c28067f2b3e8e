"""Reporting to Redis: counters and notifications, in one round trip.

Notified are those who watch a batch, and those who send webhook deliveries.

Callers wait for Redis only briefly, and nothing depends on it: what could not be written is lost,
and Redis is then not tried for a while. Watchers also look at the rows from time to time.
"""

from __future__ import annotations

import time
from collections.abc import Container, Sequence
from uuid import UUID

import structlog
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.events.listeners import BatchEnded, Listener, SliceFolded
from app.events.notify import notify, notify_of_end, notify_senders
from app.metrics import catalogue
from app.metrics.counters import LAST_SWEEP_KEY, Additions

log = structlog.get_logger(__name__)

_TIMEOUT = 0.5
_LEAVE_ALONE = 5.0
_MIXED = "mixed"
_UNKNOWN = "unknown"
# By Redis' clock, since those of workers may differ.
_NOTE_TIME = "redis.call('SET', KEYS[1], redis.call('TIME')[1])"


def impatient_redis(url: str) -> Redis:
    """A connection that gives up soon."""
    return Redis.from_url(
        url,
        socket_timeout=_TIMEOUT,
        socket_connect_timeout=_TIMEOUT,
        retry=Retry(NoBackoff(), 1),
    )


class RedisListener(Listener):
    """The `Listener` of workers and web processes. Safe to share between threads.

    `operations`: the names that become labels; an item may name any other, and there must not be
    a series for each.
    """

    def __init__(self, redis: Redis, operations: Container[object]) -> None:
        self._redis = redis
        self._operations = operations
        self._leave_alone_until = 0.0

    def outcomes_written(self, batch_id: UUID, operation: str | None, *, retried: int) -> None:
        """Count retries, and notify watchers."""
        additions = Additions()
        additions.count(catalogue.ITEM_RETRIES, self._label(operation), by=retried)
        self._write(additions, batch_id)

    def claim_lost(self) -> None:
        """Count it."""
        additions = Additions()
        additions.count(catalogue.SLICES_LOST)
        self._write(additions)

    def folded(self, batch_id: UUID, slices: Sequence[SliceFolded]) -> None:
        """Count slices and their items, and how long they took."""
        additions = Additions()
        self._add_slices(additions, slices)
        self._write(additions, batch_id)

    def _add_slices(self, additions: Additions, slices: Sequence[SliceFolded]) -> None:
        for news in slices:
            if news.phase == "validate":
                continue
            operation = self._label(news.operation)
            processed = news.completed + news.failed + news.invalid
            for status, number in (
                ("SUCCESS", news.completed),
                ("FAILED", news.failed),
                ("INVALID", news.invalid),
            ):
                additions.count(catalogue.ITEMS_PROCESSED, status, operation, by=number)
            if news.size:
                additions.observe(catalogue.SLICE_SECONDS, operation, value=news.seconds)
                additions.observe(
                    catalogue.ITEM_SECONDS,
                    operation,
                    value=news.seconds / news.size,
                    times=processed,
                )

    def wave_written(self, operation: str | None) -> None:
        """Count it."""
        additions = Additions()
        additions.count(catalogue.WAVES, self._label(operation))
        self._write(additions)

    def progressed(self, batch_id: UUID) -> None:
        """Notify watchers."""
        self._write(Additions(), batch_id)

    def ended(self, end: BatchEnded) -> None:
        """Count the batch, notify watchers, and have its webhooks sent."""
        self._write_end(Additions(), end)

    def ended_with(self, end: BatchEnded, slice_: SliceFolded) -> None:
        """The same, with what the batch's only slice brought, in one round trip."""
        additions = Additions()
        additions.count(catalogue.WAVES, self._label(end.operation))
        self._add_slices(additions, [slice_])
        self._write_end(additions, end)

    def _write_end(self, additions: Additions, end: BatchEnded) -> None:
        operation = self._label(end.operation)
        additions.count(catalogue.BATCHES_FINISHED, end.status, operation)
        additions.observe(catalogue.BATCH_SECONDS, operation, value=end.seconds)
        self._write(additions, end.batch_id, ended=True, due=bool(end.webhooks))

    def swept(self, repairs: dict[str, int]) -> None:
        """Count the sweep and what it repaired."""
        additions = Additions()
        additions.count(catalogue.SWEEPS)
        for kind, number in repairs.items():
            additions.count(catalogue.SWEEP_REPAIRS, kind, by=number)
        additions.count(catalogue.CLAIMS_TAKEN_OVER, by=repairs.get("claims_taken_over", 0))
        self._write(additions, swept=True)

    def delivery_due(self) -> None:
        """Notify those who send."""
        self._write(Additions(), due=True)

    def webhook_tried(self, outcome: str) -> None:
        """Count it."""
        additions = Additions()
        additions.count(catalogue.WEBHOOK_TRIES, outcome)
        self._write(additions)

    def refused(self, numbers: dict[str, int]) -> None:
        """Count them."""
        additions = Additions()
        for kind, number in numbers.items():
            additions.count(catalogue.REFUSALS, kind, by=number)
        self._write(additions)

    def _label(self, operation: str | None) -> str:
        if operation is None:
            return _MIXED
        return operation if operation in self._operations else _UNKNOWN

    def _write(
        self,
        additions: Additions,
        batch_id: UUID | None = None,
        *,
        ended: bool = False,
        swept: bool = False,
        due: bool = False,
    ) -> None:
        if time.monotonic() < self._leave_alone_until:
            return
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                additions.write(pipeline)
                if swept:
                    pipeline.eval(_NOTE_TIME, 1, LAST_SWEEP_KEY)
                if batch_id is not None:
                    (notify_of_end if ended else notify)(pipeline, batch_id)
                if due:
                    notify_senders(pipeline)
                pipeline.execute()
        except RedisError as error:
            self._leave_alone_until = time.monotonic() + _LEAVE_ALONE
            log.warning("redis.not_written", error=str(error), again_in=_LEAVE_ALONE)
