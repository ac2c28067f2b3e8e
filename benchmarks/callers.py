"""Many callers at once, each with many small batches: how many end in a second.

Callers are threads of this process, which prepares all it sends before the time begins. What they
use of a core is told with the figure, since a harness that is the bottleneck measures itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol
from uuid import UUID

import psycopg2

from benchmarks.feed import Feed

_UNFINISHED = "SELECT count(*) FROM batches WHERE id = ANY(%s::uuid[]) AND finished_at IS NULL"
_LOOK_EVERY = 0.005
_PATIENCE = 120.0


class Caller(Protocol):
    """One caller of one contender, with connections of its own."""

    name: str

    def submit(self, feed: Feed) -> UUID:
        """Submit the feed; the batch's id."""
        ...

    def wait(self, batch_id: UUID) -> None:
        """Wait until the batch has ended."""
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


@dataclass(frozen=True)
class Throughput:
    """`rate`: batches a second. `harness`: cores that the callers used themselves.

    `batches`: each with the feed that it came of.
    """

    rate: float
    harness: float
    batches: list[tuple[UUID, Feed]]


def measure_throughput(
    callers: Sequence[Caller], feeds: Sequence[Feed], dsn: str, *, waiting: bool
) -> Throughput:
    """Have the callers submit the feeds between them, and time it until all batches have ended.

    `waiting`: each waits for its batch's end before it submits the next. Otherwise it goes on at
    once, and the end of the last one is looked for in Postgres, at `dsn`.
    """
    for feed in feeds:
        _ = feed.body, feed.items, feed.keys
    left: SimpleQueue[Feed] = SimpleQueue()
    for feed in feeds:
        left.put(feed)
    batches: list[tuple[UUID, Feed]] = []
    faults: list[BaseException] = []
    start = threading.Barrier(len(callers) + 1)

    def call(caller: Caller) -> None:
        start.wait()
        try:
            while True:
                feed = left.get_nowait()
                batch_id = caller.submit(feed)
                batches.append((batch_id, feed))
                if waiting:
                    caller.wait(batch_id)
        except Empty:
            pass
        except BaseException as fault:  # (told where all of them are waited for)
            faults.append(fault)

    threads = [threading.Thread(target=call, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    start.wait()
    began, used = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    if not waiting:
        with connection.cursor() as cursor:
            ids = [str(batch_id) for batch_id, _ in batches]
            _until(lambda: _unfinished(cursor, ids) == 0)
    seconds = time.perf_counter() - began
    connection.close()
    return Throughput(len(feeds) / seconds, (time.process_time() - used) / seconds, batches)


def _unfinished(cursor: psycopg2.extensions.cursor, ids: list[str]) -> int:
    cursor.execute(_UNFINISHED, (ids,))
    ((number,),) = cursor.fetchall()
    return int(number)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"Batches have not ended within {_PATIENCE:g} s")
        time.sleep(_LOOK_EVERY)
