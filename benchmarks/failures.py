"""`python -m benchmarks.failures`: what failures cost while they are written, and when read.

A batch of which every item fails is run by turns with its failures grouped and without, one by one
and in bulk: by the clock, and by the processor time of workers and Postgres, which others on the
machine change less. Then a batch of a million failed items is loaded into the tables, and its
failures and the items of one of them are listed, at any depth; and as many batches of a few
failures each as a client may have, of which its failures are listed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from statistics import median, quantiles
from typing import Any

from app.local.serve.shipped import ROOT
from benchmarks.counting.processor import difference, processor_seconds
from benchmarks.failing_handlers import BARE, CAUSES
from benchmarks.loading import load
from benchmarks.stack import Stack, running_stack
from benchmarks.targets import Target, table

_HANDLERS = {"HANDLERS": "benchmarks.failing_handlers", "PYTHONPATH": str(ROOT)}
_MOST = 1.03
_LISTED, _PAGE, _OVER_BATCHES = 0.1, 0.05, 1.0
_GROUPS = 1000
_AT_ONCE = 100_000
# Half of all in one cause, so that it is deep; the others in as many as there may be beside it.
_FAILURE = f"CASE WHEN n % 2 = 0 THEN 'f0' ELSE 'f' || (1 + n / 2 % {_GROUPS - 1}) END"
_BATCH = """
    INSERT INTO batches (id, client_id, operation, status, total, failed, started_at, finished_at)
    VALUES (%(batch)s, %(client)s, 'failing.bulk', 'FAILED', %(items)s, %(items)s, now(), now())
"""
_ITEMS = f"""
    INSERT INTO items (batch_id, index, key, input, status, attempts, code, message, failure,
                       started_at, finished_at)
    SELECT %(batch)s, n, NULL, '{{"n": 1}}', 'FAILED', 1, 409, 'Order ' || n || ' was closed',
           {_FAILURE.replace("%", "%%")}, now(), now()
    FROM generate_series(%(first)s::bigint, %(last)s) AS n
"""
_COUNTS = """
    INSERT INTO failure_counts (batch_id, failure, status, spread, count)
    SELECT batch_id, failure, status, spread, ceil(number / 8.0)
    FROM (SELECT batch_id, failure, status, count(*) AS number FROM items
          WHERE batch_id = %(batch)s GROUP BY 1, 2, 3) AS found, generate_series(0, 7) AS spread
"""
_CAUSES = """
    INSERT INTO failures (batch_id, failure, number, operation, status, code, message)
    SELECT DISTINCT ON (failure) batch_id, failure, substr(failure, 2)::int, 'failing.bulk', status,
           409, 'Order … of shop ' || failure || ' was closed'
    FROM failure_counts WHERE batch_id = %(batch)s
"""

_EACH = 5
_MANY = """
    INSERT INTO batches (id, client_id, name, operation, status, total, failed, started_at,
                         finished_at)
    SELECT gen_random_uuid(), %(client)s, 'of many', 'failing.bulk', 'FAILED', 100, 100, now(),
           now()
    FROM generate_series(1, %(items)s)
"""
# In two rows each, as where two slices were written at the same time.
_MANY_COUNTS = f"""
    INSERT INTO failure_counts (batch_id, failure, status, spread, count)
    SELECT id, 'f' || n, 'FAILED', spread, 10
    FROM batches, generate_series(1, {_EACH}) AS n, generate_series(0, 1) AS spread
    WHERE name = 'of many'
"""
_VACUUM = "VACUUM ANALYZE batches, items, failures, failure_counts"
_THEN = (_COUNTS, _CAUSES, _VACUUM)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000, help="of a batch that fails")
    parser.add_argument("--repeat", type=int, default=9, help="runs of each, by turns")
    parser.add_argument("--stored", type=int, default=1_000_000, help="failed items in the tables")
    parser.add_argument("--batches", type=int, default=20_000, help="of the client, with failures")
    parser.add_argument("--reads", type=int, default=50, help="of each list")
    options = parser.parse_args(arguments)
    with running_stack(None, {}, settings=_HANDLERS) as stack:
        targets = _write(stack, options.items, options.repeat)
        targets += _read(stack, options.stored, options.reads)
        targets += _read_all(stack, options.batches, options.reads)
    rows = [target.cells() for target in targets]
    print("\n".join(table(["figure", "measured", "target", "reached"], rows)))


def _write(stack: Stack, items: int, repeat: int) -> list[Target]:
    targets = []
    for way in ("alone", "bulk"):
        runs: dict[str, list[tuple[float, float]]] = {"": [], BARE: []}
        for end in runs:
            _run(stack, f"failing.{way}{end}", items)  # so that the operation's cost is known
        for _ in range(repeat):
            for end, taken in runs.items():
                taken.append(_run(stack, f"failing.{way}{end}", items))
        for place, what in enumerate(("time", "processor time")):
            times = {end: [run[place] for run in taken] for end, taken in runs.items()}
            # Side by side, so that what the machine does besides falls on both.
            ratios = [one / other for one, other in zip(times[""], times[BARE], strict=True)]
            print(
                f"{items:,} items that all fail, {way}, {what}: {median(times['']):.3f} s grouped"
                f" by {CAUSES} causes, {median(times[BARE]):.3f} s not grouped; ratios "
                + ", ".join(f"{each:.3f}" for each in sorted(ratios)),
                flush=True,
            )
            what = (
                f"{what} of a batch in which everything fails ({way}), as a multiple of ungrouped"
            )
            targets.append(Target(what, median(ratios), _MOST, at_least=False))
    return targets


def _run(stack: Stack, operation: str, items: int) -> tuple[float, float]:
    """Seconds from start to end, and those of processors, by workers and Postgres."""
    body = json.dumps({"operation": operation, "items": [{"n": n} for n in range(items)]})
    headers = {"Content-Type": "application/json"}
    before = processor_seconds(stack.processes)
    batch = stack.http.post("/v1/batches", content=body, headers=headers).raise_for_status().json()
    while batch["finishedAt"] is None:
        batch = stack.http.get(f"/v1/batches/{batch['id']}", params={"wait": 60}).json()
    used = difference(processor_seconds(stack.processes), before)
    assert batch["summary"]["failed"] == items, batch
    took = _seconds(batch["startedAt"], batch["finishedAt"])
    stack.http.delete(f"/v1/batches/{batch['id']}").raise_for_status()
    return took, used["worker children"] + used["postgres"]


def _seconds(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def _read(stack: Stack, items: int, reads: int) -> list[Target]:
    batch_id = load(stack, _BATCH, _ITEMS, items, at_once=_AT_ONCE, then=_THEN)
    path = f"/v1/batches/{batch_id}"
    cursors = _cursors(stack, path, items // 2)
    asked: list[tuple[str, Callable[[], Any], float]] = [
        (
            f"s, p95: a page of the failures of {items:,} failed items",
            lambda: stack.http.get(f"{path}/failures"),
            _LISTED,
        ),
        (
            f"s, p95: all {_GROUPS:,} of them in one page",
            lambda: stack.http.get(f"{path}/failures", params={"limit": 1000}),
            _LISTED,
        ),
    ]
    for depth, cursor in cursors.items():
        query = {"failure": "f0", **({"cursor": cursor} if cursor else {})}
        asked.append(
            (
                f"s, p95: a page of one failure's items, {depth:.0%} deep",
                partial(stack.http.get, f"{path}/items", params=query),
                _PAGE,
            )
        )
    return [Target(what, _p95(reads, ask), bound, at_least=False) for what, ask, bound in asked]


def _read_all(stack: Stack, batches: int, reads: int) -> list[Target]:
    load(stack, _MANY, _MANY_COUNTS, batches, at_once=batches, then=(_VACUUM,))
    what = f"s, p95: the failures of a client with {batches:,} more batches of {_EACH} each"
    ask = partial(stack.http.get, "/v1/failures")
    return [Target(what, _p95(reads, ask), _OVER_BATCHES, at_least=False)]


def _p95(reads: int, ask: Callable[[], Any]) -> float:
    taken = []
    for _ in range(reads):
        began = time.perf_counter()
        ask().raise_for_status()
        taken.append(time.perf_counter() - began)
    return quantiles(taken, n=20)[-1]


def _cursors(stack: Stack, path: str, items: int) -> dict[float, str | None]:
    """Where a page begins at the start, in the middle and at the end of one failure's items."""
    found: dict[float, str | None] = {0.0: None}
    wanted, seen, cursor = [0.5, 0.99], 0, None
    while wanted:
        query: dict[str, Any] = {"failure": "f0", "limit": 1000}
        query |= {"cursor": cursor} if cursor else {}
        page = stack.http.get(f"{path}/items", params=query).raise_for_status().json()
        seen, cursor = seen + len(page["data"]), page["next"]
        if seen >= wanted[0] * items:
            found[wanted.pop(0)] = cursor
    return found


if __name__ == "__main__":
    main()
