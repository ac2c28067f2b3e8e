"""Every block of code in the papers is run by a test, or says why not."""

from __future__ import annotations

import re

import pytest

from tests.support import papers
from tests.support.papers import ROOT, Block, blocks_of

BLOCKS = [block for paper in papers.papers() for block in blocks_of(paper)]


def run_by_tests() -> set[tuple[str, str]]:
    """The papers and languages that a test takes by `runnable`."""
    found = set()
    for path in (ROOT / "tests").rglob("*.py"):
        found |= set(re.findall(r'\brunnable\("([^"]+)", "([^"]*)"\)', path.read_text()))
    return found


RUN = run_by_tests()


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_it_is_run_or_says_why_not(block: Block) -> None:
    if block.reason is None:
        told = "no test takes it by runnable(), and no <!-- not run: why --> stands before it"
        assert (block.paper, block.language) in RUN, told
    else:
        assert len(block.reason) > 15, "a reason, please"


@pytest.mark.parametrize("paper", papers.papers())
def test_no_block_is_overlooked(paper: str) -> None:
    """Each fence belongs to a block, also one that is indented or made of tildes."""
    fences = re.findall(r"^\s*(?:```|~~~)", (ROOT / paper).read_text(), re.MULTILINE)
    assert len(fences) == 2 * len(list(blocks_of(paper)))
    reasons = re.findall(r"^\s*<!-- *not run", (ROOT / paper).read_text(), re.MULTILINE)
    assert len(reasons) == sum(block.reason is not None for block in blocks_of(paper))


def test_what_is_taken_is_there() -> None:
    there = {(block.paper, block.language) for block in BLOCKS if block.reason is None}
    assert {taken for taken in RUN if taken[0] in papers.papers()} <= there
