"""The whole measurement: a stack, old rows, and the contenders by turns, several times over."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import ballast
from benchmarks.feed import Feeds
from benchmarks.plot import draw
from benchmarks.report import Results, describe_machine
from benchmarks.rounds import Rounds
from benchmarks.small_parts import SmallBatches
from benchmarks.small_report import SmallResults
from benchmarks.stack import BESIDE, running_stack

SIZES = (2_000, 10_000, 100_000)
FOLDER = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write `results.*` (not where only a part was measured)."""
    options = _parser().parse_args(arguments)
    started = time.perf_counter()
    contenders = ["floor", "batchline", "chunked"] + ([] if options.skip_naive else ["naive"])
    small = SmallResults()
    with running_stack(
        options.home,
        _postgres_options(options),
        beside=[*(name for name in contenders if name in BESIDE), "bare"],
    ) as stack:
        print(f"Loading {options.old_rows:,} rows of earlier batches", file=sys.stderr)
        ballast.load(stack.dsn, stack.client.client_id, options.old_rows)
        results = Results(describe_machine(stack.engine), options.old_rows, small=small)
        feeds = Feeds(first=options.old_rows)
        with Rounds(stack, feeds, contenders) as rounds:
            rounds.warm_up()
            for repetition in range(options.repeat):
                few = () if repetition < options.naive_repeat else ("naive",)
                results.runs += rounds.measure(options.sizes, repetition, without=few)
            if options.small:
                parts = SmallBatches(stack, feeds, small, contenders)
                _measure_small(parts, options.small_repeat)
                for repetition in range(options.small_repeat):
                    results.runs += rounds.measure(
                        [size for size in options.sizes if size >= 10_000],
                        repetition,
                        without=("naive", "chunked"),
                        before=parts.spoil,
                    )
        results.minutes = (time.perf_counter() - started) / 60
    print(results.text())
    if options.write:
        results.write(FOLDER)
        draw(results, FOLDER / "results.svg")
        print(f"\nWritten to {FOLDER}/results.md, .json and .svg", file=sys.stderr)


def _measure_small(parts: SmallBatches, repeat: int) -> None:
    parts.warm_up()
    for repetition in range(repeat):
        parts.throughput(repetition)
    parts.one_item(100)
    parts.reads(repeat)


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
    parser.add_argument(
        "--small-repeat", type=int, default=3, help="and how often small batches are"
    )
    parser.add_argument(
        "--skip-small", dest="small", action="store_false", help="leave small batches out"
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
