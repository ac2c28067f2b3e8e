"""The whole measurement: a stack, old rows, and the contenders by turns, several times over."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from benchmarks import ballast
from benchmarks.batchline import Batchline
from benchmarks.feed import Feed, Feeds
from benchmarks.floor import Floor
from benchmarks.naive import Naive
from benchmarks.plot import draw
from benchmarks.report import Results, Run, describe_machine
from benchmarks.stack import Stack, running_stack
from benchmarks.timing import Timing
from benchmarks.verify import verify

SIZES = (2_000, 10_000, 100_000)
NAIVE_SIZES = (2_000, 10_000)
WARM_UP = 2_000
FOLDER = Path(__file__).parent


class Contender(Protocol):
    """What is compared: something that processes a feed into the same rows."""

    name: str

    def run(self, feed: Feed) -> Timing:
        """Process the feed, and time it."""
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write `results.*` (not where only a part was measured)."""
    options = _parser().parse_args(arguments)
    started = time.perf_counter()
    with running_stack(options.home, _postgres_options(options)) as stack:
        print(f"Loading {options.old_rows:,} rows of earlier batches", file=sys.stderr)
        ballast.load(stack.dsn, stack.client.client_id, options.old_rows)
        results = Results(
            machine=describe_machine(stack.engine),
            old_rows=options.old_rows,
            runs=_measure(stack, options),
            minutes=(time.perf_counter() - started) / 60,
        )
    print(results.text())
    if options.write:
        results.write(FOLDER)
        draw(results, FOLDER / "results.svg")
        print(f"\nWritten to {FOLDER}/results.md, .json and .svg", file=sys.stderr)


def _measure(stack: Stack, options: argparse.Namespace) -> list[Run]:
    feeds = Feeds(first=options.old_rows)
    client_id = stack.client.client_id
    contenders: list[Contender] = [Floor(stack.dsn, client_id), Batchline(stack.http)]
    if not options.skip_naive:
        contenders.append(Naive(stack.dsn, stack.naive_redis, client_id))
    runs = []

    def measure(contender: Contender, size: int) -> Timing:
        feed = feeds.take(size)
        timing = contender.run(feed)
        assert timing.batch_id is not None
        verify(stack.engine, timing.batch_id, client_id, feed)
        return timing

    try:
        for contender in contenders:
            measure(contender, WARM_UP)
        for repetition in range(options.repeat):
            for size in options.sizes:
                # A different contender first each time: a run after a heavy one may be slower.
                turn = repetition % len(contenders)
                for contender in contenders[turn:] + contenders[:turn]:
                    if contender.name == "naive" and (
                        size not in NAIVE_SIZES or repetition >= options.naive_repeat
                    ):
                        continue
                    timing = measure(contender, size)
                    runs.append(Run(contender.name, size, timing.seconds, timing.steps))
                    print(runs[-1].line(), file=sys.stderr)
    finally:
        for contender in contenders:
            contender.close()
    return runs


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--sizes", type=_sizes, default=SIZES, help="items of a batch, comma-separated"
    )
    parser.add_argument("--repeat", type=int, default=5, help="how often each is measured")
    parser.add_argument("--naive-repeat", type=int, default=3, help="and how often the naive one")
    parser.add_argument(
        "--old-rows", type=int, default=1_000_000, help="rows that are there before"
    )
    parser.add_argument("--skip-naive", action="store_true", help="leave the slow one out")
    parser.add_argument("--home", type=Path, help="a folder to keep the servers and logs in")
    parser.add_argument(
        "--postgres",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the server, e.g. to load pg_stat_statements",
    )
    parser.add_argument(
        "--no-write", dest="write", action="store_false", help="print, but keep the old results"
    )
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _postgres_options(options: argparse.Namespace) -> dict[str, str]:
    return dict(setting.split("=", 1) for setting in options.postgres)
