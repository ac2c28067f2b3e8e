"""Counters and histograms in one Redis hash: added to in one round trip, read in one.

A field is a JSON array, `[metric, label values…]` and for a histogram its part: the upper bound
of a bucket, or "sum". Values are whole numbers, so that no adding loses anything. If Redis is
emptied they begin again at 0, which Prometheus takes for a restart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from redis import Redis
from redis.client import Pipeline

from app.metrics.catalogue import COUNTED, Metric

HASH = "batchline:counters"
LAST_SWEEP_KEY = "batchline:last-sweep"
_SUM = "sum"
_INFINITE = "+Inf"


@dataclass(slots=True)
class Additions:
    """What is to be added to the counters, gathered first and written at once."""

    values: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __bool__(self) -> bool:
        return bool(self.values)

    def count(self, metric: Metric, *labels: str, by: int = 1) -> None:
        """Add `by` to a counter; nothing where it is 0."""
        if by:
            self.values[_field(metric.name, *labels)] += by

    def observe(self, metric: Metric, *labels: str, value: float, times: int = 1) -> None:
        """Note `value` in a histogram, `times` over."""
        if times <= 0:
            return
        place = bisect_left(metric.buckets, value)
        bound = str(metric.buckets[place]) if place < len(metric.buckets) else _INFINITE
        self.values[_field(metric.name, *labels, bound)] += times
        self.values[_field(metric.name, *labels, _SUM)] += round(value * metric.scale * times)

    def write(self, pipeline: Pipeline) -> None:
        """Put the additions into `pipeline`, which the caller executes."""
        for name, by in self.values.items():
            pipeline.hincrby(HASH, name, by)


def read_counters(redis: Redis) -> Iterator[Family]:
    """Every counter and histogram, as Prometheus families. Raises RedisError."""
    found: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
    kept: dict[bytes, bytes] = redis.hgetall(HASH)  # type: ignore[assignment]
    for name, value in kept.items():
        known, *labels = msgspec.json.decode(name, type=list[str])
        found[known][tuple(labels)] = int(value)
    for metric in COUNTED:
        series = found.get(metric.name, {})
        if metric.kind == "counter":
            yield _counter(metric, series)
        else:
            yield _histogram(metric, series)


def _counter(metric: Metric, series: dict[tuple[str, ...], int]) -> Family:
    family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    if not metric.labels:
        series = series or {(): 0}
    for labels, value in sorted(series.items()):
        if len(labels) == len(metric.labels):
            family.add_metric(labels, value / metric.scale)
    return family


def _histogram(metric: Metric, series: dict[tuple[str, ...], int]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels in sorted({labels[:-1] for labels in series}):
        if len(labels) != len(metric.labels):
            continue
        buckets = list(_cumulated(metric, labels, series))
        family.add_metric(labels, buckets, series.get((*labels, _SUM), 0) / metric.scale)
    return family


def _cumulated(
    metric: Metric, labels: tuple[str, ...], series: dict[tuple[str, ...], int]
) -> Iterable[tuple[str, float]]:
    total = 0
    for bound in (*map(str, metric.buckets), _INFINITE):
        total += series.get((*labels, bound), 0)
        yield bound, total


def _field(*parts: str) -> str:
    return msgspec.json.encode(parts).decode()
