"""One batch asks no more of Postgres, Redis and the broker than docs/performance.md promises."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.counting.budget import SIZES, Budget, Counted, count_batches, counting_stack, least
from benchmarks.counting.statements import by_shape
from benchmarks.feed import Feeds

# A sweep or a heartbeat within a batch adds to it, on a busy machine to many in a row.
MOST_TRIES = 200
PAPER = Path(__file__).parents[1] / "docs" / "performance.md"


def promised() -> dict[int, Budget]:
    """The table of the chapter, by number of items."""
    chapter = PAPER.read_text().partition("\n## What a batch costs\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\d,]+) \|((?: [\d,]+ \|){5})$", chapter, re.MULTILINE)
    numbers = {
        int(items.replace(",", "")): [
            int(cell.replace(",", "")) for cell in cells.split("|") if cell.strip()
        ]
        for items, cells in rows
    }
    return {items: Budget(*cells) for items, cells in numbers.items()}


def test_the_paper_promises_for_each_size() -> None:
    assert tuple(promised()) == SIZES


@pytest.mark.whole
@pytest.mark.timeout(240)
def test_a_batch_asks_no_more_than_is_promised(own_processes: None) -> None:
    """Of many batches the least counts: what else the machine does can only add to it."""
    over = {}
    with counting_stack() as stack:
        feeds = Feeds(first=0)
        for items, most in promised().items():
            tries: list[Counted] = []
            for one in islice(count_batches(stack, feeds, items), MOST_TRIES):
                tries.append(one)
                if not least(tries).exceeds(most):
                    break
            if exceeded := least(tries).exceeds(most):
                shapes = "\n".join(
                    f"{number:4} {kind:<8} {shape[:120]}"
                    for kind, shape, number in by_shape(tries[-1].statements)
                )
                commands = dict(tries[-1].commands.most_common())
                over[items] = f"{exceeded}\n{shapes}\n{commands}"
    assert not over, "\n\n".join(f"{items} items: {what}" for items, what in over.items())
