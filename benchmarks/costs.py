"""`python -m benchmarks.costs`: what a batch of 1, 10 and 1,000 items costs.

Counts first, on a stack that is otherwise at rest: SQL statements, round trips to Postgres,
commits, Redis commands, messages. Then processor time by kind of process, on a stack as it is
shipped, from many such batches by eight callers; what it uses while nothing goes on is told apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice

from benchmarks.callers import measure_throughput
from benchmarks.counting.budget import SIZES, Counted, count_batches, counting_stack, least
from benchmarks.counting.processor import difference, processor_seconds
from benchmarks.counting.statements import by_shape
from benchmarks.feed import Feeds
from benchmarks.light import LightBatchline
from benchmarks.stack import Stack, running_stack
from benchmarks.targets import table

_CALLERS = 8
_IDLE_SECONDS = 5.0
_SHOWN = 150
HEAD = ["items", "statements", "round trips", "commits", "Redis commands", "messages"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Count, measure, print. Writes nothing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description=__doc__)
    parser.add_argument("--sizes", type=_numbers, default=SIZES, help="items, comma-separated")
    parser.add_argument("--tries", type=int, default=7, help="how often each is counted")
    parser.add_argument(
        "--detail", action="store_true", help="show each statement and command of one batch, too"
    )
    parser.add_argument("--skip-counts", action="store_true", help="only processor time")
    parser.add_argument("--skip-processor", action="store_true", help="only counts")
    options = parser.parse_args(arguments)
    if not options.skip_counts:
        with counting_stack() as stack:
            feeds = Feeds(first=0)
            counted = {
                items: list(islice(count_batches(stack, feeds, items), options.tries))
                for items in options.sizes
            }
        rows = [
            [f"{items:,}", *(str(number) for number in asdict(least(tries)).values())]
            for items, tries in counted.items()
        ]
        print("\n".join(table(HEAD, rows)), flush=True)
        if options.detail:
            for items, tries in counted.items():
                print(f"\n{items:,} items\n{_detail(tries)}")
    if not options.skip_processor:
        with running_stack(None, {}) as stack:
            print(f"\n{_processor_table(stack, options.sizes)}")


def _detail(tries: list[Counted]) -> str:
    """Statements by process and shape, and commands, of the batch that had fewest of both."""
    one = min(tries, key=lambda one: (one.budget.statements, one.budget.redis_commands))
    lines = [
        f"  {number:4} {kind:<8} {shape[:_SHOWN]}"
        for kind, shape, number in by_shape(one.statements)
    ]
    lines += [f"  {number:4} redis    {name}" for name, number in one.commands.most_common()]
    return "\n".join(lines)


def _processor_table(stack: Stack, sizes: Sequence[int]) -> str:
    """Milliseconds a batch by kind, the idle stack's own left out, and that in ms a second."""
    feeds = Feeds(first=0)
    columns: dict[str, dict[str, float]] = {}
    _batches(stack, feeds, 1, 100)
    time.sleep(2)
    before = processor_seconds(stack.processes)
    time.sleep(_IDLE_SECONDS)
    after = processor_seconds(stack.processes)
    idle = {kind: used / _IDLE_SECONDS for kind, used in difference(after, before).items()}
    for items in sizes:
        batches = max(30, 300 // max(1, items // 10))
        _batches(stack, feeds, items, 10)
        before, began = processor_seconds(stack.processes), time.perf_counter()
        _batches(stack, feeds, items, batches)
        took = time.perf_counter() - began
        used = difference(processor_seconds(stack.processes), before)
        columns[f"{items:,} items"] = {
            kind: max(0.0, seconds - idle.get(kind, 0.0) * took) / batches
            for kind, seconds in used.items()
        }
    kinds = [*idle, "all"]
    for column in (*columns.values(), idle):
        column["all"] = sum(column.values())
    head = ["processor ms", *(f"a batch of {name}" for name in columns), "a second, idle"]
    rows = [
        [kind, *(f"{column.get(kind, 0.0) * 1000:.1f}" for column in (*columns.values(), idle))]
        for kind in kinds
    ]
    return "\n".join(table(head, rows))


def _batches(stack: Stack, feeds: Feeds, items: int, number: int) -> None:
    callers = [LightBatchline(stack.url, stack.client.secret) for _ in range(_CALLERS)]
    try:
        measure_throughput(
            callers, [feeds.take(items) for _ in range(number)], stack.dsn, waiting=False
        )
    finally:
        for caller in callers:
            caller.close()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    main()
