"""What is measured of small batches: throughput, one item, and status reads, each by turns."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from uuid import UUID

from benchmarks.callers import Caller, measure_throughput
from benchmarks.chunked import Chunked
from benchmarks.feed import Feed, Feeds
from benchmarks.floor import Floor
from benchmarks.idleness import wait_until_idle
from benchmarks.light import Connection, LightBatchline
from benchmarks.naive import Naive
from benchmarks.small_report import CLOSED, OPEN, Figure, SmallResults
from benchmarks.stack import Stack
from benchmarks.verify import verify

_READ_SECONDS = 1.0


class SmallBatches:
    """The parts, on one running stack.

    `contenders`: of "floor", "chunked", "naive" and "batchline". `patience`: seconds to wait before
    each measurement for the machine to be idle.
    """

    def __init__(
        self,
        stack: Stack,
        feeds: Feeds,
        results: SmallResults,
        contenders: Sequence[str],
        *,
        patience: float = 0.0,
    ) -> None:
        self._patience = patience
        self._stack = stack
        self._feeds = feeds
        self._results = results
        self._contenders = contenders

    def warm_up(self) -> None:
        """Let every contender meet a few small batches, so that connections are there."""
        for name in self._contenders:
            self._submit_all(name, 8, waiting=False)

    def throughput(self, repetition: int) -> None:
        """Every contender once, both ways. `repetition` decides who is first."""
        for way, waiting in ((OPEN, False), (CLOSED, True)):
            figures = self._results.throughput.setdefault(way, {})
            for name in _turns(self._contenders, repetition):
                wait_until_idle(self._patience)
                rate, harness = self._submit_all(name, self._results.batches, waiting=waiting)
                figure = figures.setdefault(name, Figure())
                figure.values.append(rate)
                figure.harness.append(harness)
                _say(f"{name:<10} {rate:8.1f} batches/s {way} (callers: {harness:.2f} cores)")

    def spoil(self) -> None:
        """Submit as many small batches to Batchline as are measured, and wait for their end."""
        self._submit_all("batchline", self._results.batches, waiting=False)

    def one_item(self, times: int) -> None:
        """Batches of one item on an idle system, one at a time, the contenders by turns."""
        callers = {name: self._make(name) for name in self._contenders}
        try:
            for repetition in range(times + 1):
                if repetition % 10 == 0:
                    wait_until_idle(self._patience)
                for name in _turns(self._contenders, repetition):
                    feed = self._feeds.take(1)
                    seconds = self._one(callers[name], feed)
                    if repetition:  # the first one only warms up
                        figure = self._results.one_item.setdefault(name, Figure())
                        figure.values.append(seconds * 1000)
        finally:
            for caller in callers.values():
                caller.close()
            gc.collect()
        for name, figure in self._results.one_item.items():
            _say(f"{name:<10} {figure.middle:8.1f} ms for one item")

    def reads(self, rounds: int) -> None:
        """`GET /v1/batches/{id}` of an ended batch, and bare Flask with its query, by turns."""
        stack, caller = self._stack, self._make("batchline")
        batch_id = caller.submit(self._feeds.take(self._results.items))
        caller.wait(batch_id)
        caller.close()
        client = stack.client
        asked = {
            "batchline": (stack.url, client.secret, f"/v1/batches/{batch_id}"),
            "bare": (stack.bare_url, None, f"/batches/{client.client_id}/{batch_id}"),
        }
        for repetition in range(rounds + 1):
            for name in _turns(list(asked), repetition):
                wait_until_idle(self._patience)
                rate, harness = self._read(*asked[name], seconds=_READ_SECONDS)
                if repetition:
                    figure = self._results.reads.setdefault(name, Figure())
                    figure.values.append(rate)
                    figure.harness.append(harness)
                    _say(f"{name:<10} {rate:8.0f} reads/s (callers: {harness:.2f} cores)")

    def _submit_all(self, name: str, batches: int, *, waiting: bool) -> tuple[float, float]:
        with self._callers(name) as callers, _without_collector():
            measured = measure_throughput(
                callers,
                [self._feeds.take(self._results.items) for _ in range(batches)],
                self._stack.dsn,
                waiting=waiting,
            )
        for batch_id, feed in measured.batches:
            self._verify(batch_id, feed)
        return measured.rate, measured.harness

    def _one(self, caller: Caller, feed: Feed) -> float:
        if isinstance(caller, LightBatchline | Floor | Chunked):
            timing = caller.run(feed)
            assert timing.batch_id is not None
            self._verify(timing.batch_id, feed)
            return timing.seconds
        _ = feed.items
        began = time.perf_counter()
        batch_id = caller.submit(feed)
        caller.wait(batch_id)
        seconds = time.perf_counter() - began
        self._verify(batch_id, feed)
        return seconds

    def _read(
        self, url: str, secret: str | None, path: str, *, seconds: float
    ) -> tuple[float, float]:
        numbers: list[int] = []
        stop = threading.Event()

        def read(connection: Connection) -> None:
            number = 0
            while not stop.is_set():
                status, body = connection.get(path)
                assert status == 200, body
                number += 1
            numbers.append(number)

        connections = [Connection(url, secret) for _ in range(self._results.callers)]
        threads = [threading.Thread(target=read, args=(one,)) for one in connections]
        began, used = time.perf_counter(), time.process_time()
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        stop.set()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - began
        for connection in connections:
            connection.close()
        assert len(numbers) == len(threads), "a caller failed"
        return sum(numbers) / took, (time.process_time() - used) / took

    def _verify(self, batch_id: UUID, feed: Feed) -> None:
        verify(self._stack.engine, batch_id, self._stack.client.client_id, feed)

    @contextmanager
    def _callers(self, name: str) -> Iterator[list[Caller]]:
        callers = [self._make(name) for _ in range(self._results.callers)]
        try:
            yield callers
        finally:
            for caller in callers:
                caller.close()

    def _make(self, name: str) -> Caller:
        stack = self._stack
        client = stack.client
        make: dict[str, Callable[[], Caller]] = {
            "floor": lambda: Floor(stack.dsn, client.client_id),
            "naive": lambda: Naive(stack.dsn, stack.naive_redis, client.client_id),
            "chunked": lambda: Chunked(stack.dsn, stack.chunked_redis, client.client_id),
            "batchline": lambda: LightBatchline(stack.url, client.secret),
        }
        return make[name]()


@contextmanager
def _without_collector() -> Iterator[None]:
    """No pauses while it is measured; afterwards, as Celery's results stay subscribed so long."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


def _turns(names: Sequence[str], repetition: int) -> list[str]:
    """A different one first each time: a run after a heavy one may be slower."""
    turn = repetition % len(names)
    return [*names[turn:], *names[:turn]]


def _say(line: str) -> None:
    with suppress(OSError):
        print(f"  {line}", file=sys.stderr, flush=True)
