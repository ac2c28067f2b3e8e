"""`python -m benchmarks.small`: small batches alone, in under a minute; a part of `make bench`.

Parts: `large` (10,000 and 100,000 items, for comparison), `throughput` (300 batches of 10 from 8
callers), `one` (a batch of one item, on an idle system), `reads` (status reads beside bare Flask).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import ballast
from benchmarks.feed import Feeds
from benchmarks.report import Results, describe_machine
from benchmarks.rounds import Rounds
from benchmarks.small_parts import SmallBatches
from benchmarks.small_report import SmallResults
from benchmarks.stack import WHOLE, running_stack

PARTS = ("large", "throughput", "one", "reads")
CONTENDERS = ("floor", "chunked", "batchline")
FOLDER = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print. Nothing is written unless `--write` says so."""
    options = _parser().parse_args(arguments)
    beside = [name for name in ("naive", "chunked") if name in options.contenders]
    if "reads" in options.parts:
        beside.append("bare")
    small = SmallResults(batches=options.batches, items=options.items, callers=options.callers)
    with running_stack(options.home, {}, lines=options.lines, beside=beside) as stack:
        ballast.load(stack.dsn, stack.client.client_id, options.old_rows)
        feeds = Feeds(first=options.old_rows)
        results = Results(describe_machine(stack.engine), options.old_rows, small=small)
        parts = SmallBatches(stack, feeds, small, options.contenders, patience=options.when_idle)
        # First, as small batches may change what is known of an operation's cost.
        if "large" in options.parts:
            with Rounds(stack, feeds, options.contenders, patience=options.when_idle) as rounds:
                rounds.warm_up()
                for repetition in range(options.repeat):
                    results.runs += rounds.measure(options.sizes, repetition)
        parts.warm_up()
        if "throughput" in options.parts:
            for repetition in range(options.repeat):
                parts.throughput(repetition)
        if "one" in options.parts:
            parts.one_item(options.times)
        if "reads" in options.parts:
            parts.reads(options.repeat + 1)
    print(results.text())
    if options.write:
        results.write(FOLDER)
        print(f"\nWritten to {FOLDER}/results.md and .json", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.small", description=__doc__)
    parser.add_argument("--parts", type=_names, default=PARTS, help="comma-separated")
    parser.add_argument("--repeat", type=int, default=1, help="how often each is measured")
    parser.add_argument("--times", type=int, default=100, help="batches of one item")
    parser.add_argument("--batches", type=int, default=300, help="small batches of a measurement")
    parser.add_argument("--items", type=int, default=10, help="items of a small batch")
    parser.add_argument("--callers", type=int, default=8, help="callers at once")
    parser.add_argument(
        "--sizes", type=_numbers, default=(10_000, 100_000), help="items of the large batches"
    )
    parser.add_argument(
        "--contenders", type=_names, default=CONTENDERS, help="floor, chunked, naive, batchline"
    )
    parser.add_argument(
        "--lines", type=_names, default=WHOLE, help="what runs, of the Procfile; all unless given"
    )
    parser.add_argument("--old-rows", type=int, default=100_000, help="rows that are there before")
    parser.add_argument(
        "--when-idle",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait so long, at most, before each measurement for others to leave the machine alone",
    )
    parser.add_argument("--home", type=Path, help="a folder to keep the servers and logs in")
    parser.add_argument(
        "--write", action="store_true", help="write the figures to benchmarks/results.*"
    )
    parser.add_argument(
        "--no-write", dest="write", action="store_false", help="only print them (so unless asked)"
    )
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    main()
