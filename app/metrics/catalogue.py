"""Every metric there is: its name, kind, labels and meaning. Nothing else is exposed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `scale`: what the stored whole number is divided by to be shown."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    scale: int = 1

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which Prometheus finds it."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "count", "sum"))
        return (self.name,)


MICRO = 1_000_000
_ITEM_SECONDS = (0.0001, 0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0)
_SLICE_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0)
_BATCH_SECONDS = (0.1, 1.0, 5.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)

# Kept in Redis: added to by workers, and by the web processes where a batch ends there.
BATCHES_FINISHED = Metric(
    "batchline_batches_finished_total",
    "counter",
    "Batches that have ended, by how.",
    ("status", "operation"),
)
BATCH_SECONDS = Metric(
    "batchline_batch_seconds",
    "histogram",
    "From a batch's first wave to its end, in seconds.",
    ("operation",),
    _BATCH_SECONDS,
    MICRO,
)
ITEMS_PROCESSED = Metric(
    "batchline_items_processed_total",
    "counter",
    "Items that have been processed, by how they ended.",
    ("status", "operation"),
)
ITEM_SECONDS = Metric(
    "batchline_item_seconds",
    "histogram",
    "What an item took, in seconds: its slice's time divided by its items.",
    ("operation",),
    _ITEM_SECONDS,
    MICRO,
)
ITEM_RETRIES = Metric(
    "batchline_item_retries_total",
    "counter",
    "Tries that failed and are made again later.",
    ("operation",),
)
SLICE_SECONDS = Metric(
    "batchline_slice_seconds",
    "histogram",
    "From the claim of a slice to its last outcome, in seconds.",
    ("operation",),
    _SLICE_SECONDS,
    MICRO,
)
SLICES_LOST = Metric(
    "batchline_slice_claims_lost_total",
    "counter",
    "Slices whose worker found, when it wrote, that they were no longer its own.",
)
WAVES = Metric("batchline_waves_total", "counter", "Waves sent.", ("operation",))
CLAIMS_TAKEN_OVER = Metric(
    "batchline_claims_taken_over_total",
    "counter",
    "Slices taken from worker processes that died or hung.",
)
SWEEPS = Metric("batchline_sweeps_total", "counter", "Rounds of the sweep.")
SWEEP_REPAIRS = Metric(
    "batchline_sweep_repairs_total",
    "counter",
    "What the sweep put right, by kind.",
    ("kind",),
)
WEBHOOK_TRIES = Metric(
    "batchline_webhook_tries_total",
    "counter",
    "Tries to deliver a webhook, by outcome: delivered, retried, failed (for good), gone (410).",
    ("outcome",),
)
REFUSALS = Metric(
    "batchline_refusals_total",
    "counter",
    "Requests that the web server refused by itself, by the end of the problem's type.",
    ("kind",),
)

# Read when they are asked for.
BATCHES = Metric(
    "batchline_batches",
    "gauge",
    "Batches that have not ended, by status.",
    ("status", "operation"),
)
ITEMS = Metric(
    "batchline_items",
    "gauge",
    "Items of batches that have not ended, by status.",
    ("status", "operation"),
)
OLDEST_WAITING = Metric(
    "batchline_oldest_waiting_item_seconds",
    "gauge",
    "How long the batch has been at it that has waited longest for items to be processed.",
)
SLICES = Metric("batchline_slices", "gauge", "Slices of the waves under way.", ("state", "queue"))
BATCHES_IN_LINE = Metric(
    "batchline_batches_in_line",
    "gauge",
    "Batches that wait for workers to move them on, small ones until they have ended.",
    ("queue",),
)
WORKERS = Metric("batchline_workers", "gauge", "Live worker processes.", ("queue",))
WORKER_SLOTS = Metric(
    "batchline_worker_slots", "gauge", "Slices that live workers can do at once.", ("queue",)
)
WORKERS_STARVING = Metric(
    "batchline_workers_taking_nothing",
    "gauge",
    "Live worker processes that have free slots and take nothing, though messages wait.",
    ("queue",),
)
OPERATION_SERVED = Metric(
    "batchline_operation_served",
    "gauge",
    "Whether a live worker has the operation: 1, or 0.",
    ("operation",),
)
BREAKER_OPEN = Metric(
    "batchline_breaker_open",
    "gauge",
    "Whether the operation's items may not begin: 1 (open, or one of them tries), or 0.",
    ("operation", "base"),
)
QUEUE_MESSAGES = Metric(
    "batchline_queue_messages", "gauge", "Messages waiting in the broker.", ("queue",)
)
WEBHOOKS_PENDING = Metric(
    "batchline_webhook_deliveries_pending", "gauge", "Webhook deliveries still to be made."
)
WEBHOOKS_OVERDUE = Metric(
    "batchline_webhook_oldest_due_seconds",
    "gauge",
    "How long ago the oldest pending webhook delivery was due.",
)
LAST_SWEEP = Metric(
    "batchline_last_sweep_timestamp_seconds", "gauge", "When the sweep last ran (Unix time)."
)
SOURCE_UP = Metric(
    "batchline_source_up",
    "gauge",
    "Whether what is read for these metrics could be read: 1, or 0.",
    ("source",),
)

COUNTED = (
    BATCHES_FINISHED,
    BATCH_SECONDS,
    ITEMS_PROCESSED,
    ITEM_SECONDS,
    ITEM_RETRIES,
    SLICE_SECONDS,
    SLICES_LOST,
    WAVES,
    CLAIMS_TAKEN_OVER,
    SWEEPS,
    SWEEP_REPAIRS,
    WEBHOOK_TRIES,
    REFUSALS,
)
READ = (
    BATCHES,
    ITEMS,
    OLDEST_WAITING,
    SLICES,
    BATCHES_IN_LINE,
    WORKERS,
    WORKER_SLOTS,
    WORKERS_STARVING,
    OPERATION_SERVED,
    BREAKER_OPEN,
    QUEUE_MESSAGES,
    WEBHOOKS_PENDING,
    WEBHOOKS_OVERDUE,
    LAST_SWEEP,
    SOURCE_UP,
)
ALL = COUNTED + READ
