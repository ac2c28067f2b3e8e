"""The contenders with one batch at a time, by turns, each run checked afterwards."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol

from benchmarks.batchline import Batchline
from benchmarks.chunked import Chunked
from benchmarks.feed import Feed, Feeds
from benchmarks.floor import Floor
from benchmarks.idleness import wait_until_idle
from benchmarks.naive import Naive
from benchmarks.report import Run
from benchmarks.stack import Stack
from benchmarks.timing import Timing
from benchmarks.verify import verify

NAIVE_SIZES = (2_000, 10_000)
WARM_UP = 2_000


class Contender(Protocol):
    """What is compared: something that processes a feed into the same rows."""

    name: str

    def run(self, feed: Feed) -> Timing:
        """Process the feed, and time it."""
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


class Rounds:
    """One caller of each contender of `names`; use as a context manager.

    `patience`: seconds to wait before each run for the machine to be idle.
    """

    def __init__(
        self, stack: Stack, feeds: Feeds, names: Collection[str], *, patience: float = 0.0
    ) -> None:
        self._patience = patience
        client_id = stack.client.client_id
        make: dict[str, Callable[[], Contender]] = {
            "floor": lambda: Floor(stack.dsn, client_id),
            "batchline": lambda: Batchline(stack.http),
            "chunked": lambda: Chunked(stack.dsn, stack.chunked_redis, client_id),
            "naive": lambda: Naive(stack.dsn, stack.naive_redis, client_id),
        }
        self._stack = stack
        self._feeds = feeds
        self._contenders = [make_one() for name, make_one in make.items() if name in names]
        self._closing = ExitStack()
        for contender in self._contenders:
            self._closing.callback(contender.close)

    def __enter__(self) -> Rounds:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.close()
        gc.collect()  # Celery's results, which are subscribed to at the broker until then

    def warm_up(self) -> None:
        """Let each contender meet a batch."""
        for contender in self._contenders:
            self._run(contender, WARM_UP)

    def measure(
        self,
        sizes: Sequence[int],
        repetition: int,
        *,
        without: Collection[str] = (),
        before: Callable[[], None] | None = None,
    ) -> list[Run]:
        """Every contender but those of `without`, once with each size.

        `repetition` decides who is first, as a run after a heavy one may be slower. `before` is
        called before each of Batchline's runs, which are marked as being after small batches.
        """
        runs = []
        for size in sizes:
            contenders = [one for one in self._contenders if one.name not in without]
            turn = repetition % len(contenders)
            for contender in contenders[turn:] + contenders[:turn]:
                if contender.name == "naive" and size not in NAIVE_SIZES:
                    continue
                wait_until_idle(self._patience)
                if before is not None and contender.name == "batchline":
                    before()
                timing = self._run(contender, size)
                runs.append(
                    Run(
                        contender.name,
                        size,
                        timing.seconds,
                        timing.steps,
                        after_small=before is not None,
                    )
                )
                print(runs[-1].line(), file=sys.stderr, flush=True)
        return runs

    def _run(self, contender: Contender, size: int) -> Timing:
        feed = self._feeds.take(size)
        timing = contender.run(feed)
        assert timing.batch_id is not None
        verify(self._stack.engine, timing.batch_id, self._stack.client.client_id, feed)
        return timing
