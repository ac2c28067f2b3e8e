"""An autoscaler, as the chart has KEDA be one: how many workers `/metrics` calls for.

The query is deploy/helm/batchline/templates/_scaling.tpl's, the arithmetic that of a
HorizontalPodAutoscaler for a metric of type Value; processes stand for pods.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families

from app.local.servers.guarded import Guarded
from app.metrics import catalogue
from tests.support.stack import Stack

# Within so much of the target nothing is changed: Kubernetes' own default.
_TOLERANCE = 0.1


@dataclass(frozen=True)
class Reading:
    """What the chart's queries ask for: slices that are claimed or ready, slots of live workers,
    and batches: those in line for workers, and all that are to be done or under way."""

    slices: float
    slots: float
    in_line: float
    unfinished: float

    @property
    def load(self) -> float:
        """Slices under way, and batches that are or will be some, for each slot."""
        slots = max(self.slots, 1)
        return (self.slices + min(self.in_line, slots)) / slots


def read_metrics(url: str, queue: str = "fast") -> Reading:
    """From a web process' `/metrics`. Raises httpx.HTTPError."""
    page = httpx.get(f"{url}/metrics", timeout=30).raise_for_status().text
    found = {family.name: family.samples for family in text_string_to_metric_families(page)}

    def total(name: str, label: str, *values: str, line: bool = True) -> float:
        return sum(
            sample.value
            for sample in found.get(name, [])
            if sample.labels[label] in values and (not line or sample.labels["queue"] == queue)
        )

    return Reading(
        total(catalogue.SLICES.name, "state", "READY", "CLAIMED"),
        total(catalogue.WORKER_SLOTS.name, "queue", queue),
        total(catalogue.BATCHES_IN_LINE.name, "queue", queue),
        total(catalogue.BATCHES.name, "status", "PENDING", "RUNNING", line=False),
    )


def wanted(now: int, reading: Reading, *, most: int, target: float = 0.8) -> int:
    """How many workers there should be where there are `now`; none at all is allowed."""
    if not reading.load and not reading.unfinished:
        return 0
    if not now:
        return 1
    ratio = reading.load / target
    found = now if abs(ratio - 1) <= _TOLERANCE else math.ceil(now * ratio)
    # The second trigger asks for one while anything is unfinished.
    return max(1, min(most, found))


@dataclass
class Autoscaler:
    """Starts and stops workers of a stack. `patience`: readings in a row that call for fewer,
    before one is stopped. `sizes`: the numbers of workers that there were, one after the other.
    `stopped_amid_work`: how often one was stopped while a batch was under way.
    """

    stack: Stack
    most: int
    patience: int = 3
    workers: list[Guarded] = field(default_factory=list)
    stopped: list[Guarded] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    stopped_amid_work: int = 0
    _fewer: int = 0
    _made: int = 0

    def take(self, worker: Guarded) -> None:
        """Begin with a worker that runs already."""
        self.workers.append(worker)
        self.sizes.append(1)

    def step(self) -> Reading:
        """Look once, and start what is missing or stop one that is too many."""
        reading = read_metrics(self.stack.url)
        number = wanted(len(self.workers), reading, most=self.most)
        self._fewer = self._fewer + 1 if number < len(self.workers) else 0
        if number > len(self.workers):
            for _ in range(number - len(self.workers)):
                self._made += 1
                self.workers.append(self.stack.start("worker", f"worker-{self._made}"))
            self.sizes.append(number)
        elif self._fewer >= self.patience:
            self._fewer = 0
            one = self.workers.pop()
            one.terminate()
            self.stopped.append(one)
            self.stopped_amid_work += reading.unfinished > 0
            self.sizes.append(len(self.workers))
        return reading

    def run_until(self, condition: Callable[[Reading], bool], *, steps: int) -> Reading:
        """Step until the condition holds of a reading; fails after so many `steps`."""
        for _ in range(steps):
            reading = self.step()
            if condition(reading):
                return reading
            # A scrape's interval, only shorter.
            time.sleep(0.3)
        raise AssertionError(f"not within {steps} steps: {self.sizes}\n{self.stack.tail()}")
