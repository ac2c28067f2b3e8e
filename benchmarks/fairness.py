"""`python -m benchmarks.fairness`: how long a small batch waits while a huge one runs.

On one stack, in turns: a client's 10-item batches while nothing else goes on, and the same while
another client's batch of 100,000 items runs. Both are timed as the caller sees them, from sending
the request to reading the final summary.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from statistics import median

import httpx

from app.clients.credentials import create_client
from benchmarks.batchline import Batchline
from benchmarks.feed import Feeds
from benchmarks.stack import Stack, running_stack

SMALL = 10
HUGE = 100_000
BOUND = 5.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and exit with 1 where the bound is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="huge batches")
    parser.add_argument("--small", type=int, default=12, help="small batches a round, each way")
    parser.add_argument("--items", type=int, default=HUGE, help="items of the huge batch")
    options = parser.parse_args(arguments)
    idle: list[float] = []
    busy: list[float] = []
    with running_stack(None, {}) as stack:
        feeds = Feeds(first=0)
        Batchline(stack.http).run(feeds.take(2_000))  # so that the operation's cost is known
        with _client(stack, "small") as small:
            for _ in range(options.rounds):
                idle += [_time(small, feeds) for _ in range(options.small)]
                busy += _while_busy(stack, small, feeds, options.items)
    print(_table(idle, busy))
    sys.exit(median(busy) > BOUND * median(idle))


def _while_busy(stack: Stack, small: httpx.Client, feeds: Feeds, items: int) -> list[float]:
    """Seconds of each small batch that both began and ended while the huge one ran."""
    with _client(stack, "huge") as huge:
        batch = huge.post(
            "/v1/batches",
            content=feeds.take(items).body,
            headers={"Content-Type": "application/json"},
        ).json()
        address = f"/v1/batches/{batch['id']}"
        while huge.get(address).json()["status"] == "PENDING":
            time.sleep(0.01)
        times: list[float] = []
        while True:
            seconds = _time(small, feeds)
            if huge.get(address).json()["finishedAt"] is not None:
                return times
            times.append(seconds)


def _time(http: httpx.Client, feeds: Feeds) -> float:
    return Batchline(http).run(feeds.take(SMALL)).seconds


def _client(stack: Stack, name: str) -> httpx.Client:
    secret = create_client(stack.engine, name).secret
    return httpx.Client(
        base_url=stack.url, headers={"Authorization": f"Bearer {secret}"}, timeout=120
    )


def _table(idle: Sequence[float], busy: Sequence[float]) -> str:
    lines = [f"{SMALL} items of catalog.masterlist, milliseconds   runs  median     90%     max"]
    for name, times in (("nothing else runs", idle), (f"another's {HUGE:,} run", busy)):
        ordered = sorted(times)
        ninety = ordered[int(len(ordered) * 0.9)] if ordered else 0.0
        figures = [median(times), ninety, ordered[-1]]
        cells = "".join(f"{seconds * 1000:8.0f}" for seconds in figures)
        lines.append(f"{name:<46}{len(times):6}{cells}")
    ratio = median(busy) / median(idle)
    lines.append(f"{'ratio of the medians (bound: ' + format(BOUND, 'g') + ')':<52}{ratio:8.1f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
