"""The blocks of code in the papers: which there are, and which of them are run.

A block is run by the test that takes it by `runnable`, or an HTML comment before it says why it is
not: `<!-- not run: why -->`. `tests/papers` refuses a block of which neither is so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^>]+?) -->\n+)?"
    r"^```(?P<language>\S*)[^\n]*\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """`paper`: its path from the root. `line`: of the block's first line of code."""

    paper: str
    line: int
    language: str
    code: str
    reason: str | None

    def __str__(self) -> str:
        return f"{self.paper}:{self.line}"


def papers() -> list[str]:
    """Those whose blocks are looked at."""
    patterns = ("README.md", "docs/*.md", "examples/*/README.md", "clients/*/README.md")
    return sorted(
        path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern)
    )


def blocks_of(paper: str) -> Iterator[Block]:
    """Every block of a paper, whether it is run or not."""
    text = (ROOT / paper).read_text()
    for found in _BLOCK.finditer(text):
        line = text[: found.start("code")].count("\n") + 1
        yield Block(paper, line, found["language"], found["code"], found["reason"])


def runnable(paper: str, language: str) -> list[Block]:
    """The blocks of that language but for those that say why they are not run.

    Who takes them runs them: `tests/papers` reads calls of this, both arguments written out.
    """
    return [
        block for block in blocks_of(paper) if block.language == language and block.reason is None
    ]


def shown(text: str) -> Any:
    """JSON as a paper shows it, where `…` stands for what is left out (see `assert_shown`)."""
    text = re.sub(r", …\}", ', "…": "…"}', text)
    return json.loads(re.sub(r", …\]", ', "…"]', text))


def assert_shown(paper: Any, real: Any, place: str = "") -> None:
    """Fail unless `real` is what the paper shows: `"…"` is any value, or any further members."""
    if paper == "…":
        return
    if isinstance(paper, dict) and isinstance(real, dict):
        more = "…" in paper
        named = paper.keys() - {"…"}
        assert named <= real.keys() if more else named == real.keys(), (place, named, real)
        for name in named:
            assert_shown(paper[name], real[name], f"{place}/{name}")
    elif isinstance(paper, list) and isinstance(real, list):
        more = "…" in paper
        listed = [each for each in paper if each != "…"]
        assert len(listed) <= len(real) if more else len(listed) == len(real), (place, real)
        for number, each in enumerate(listed):
            assert_shown(each, real[number], f"{place}/{number}")
    else:
        assert paper == real, (place, real)
