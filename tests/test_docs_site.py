"""The documentation: its site can be built, has every page, and asks no other host for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.diagrams import FOLDER, diagrams, drawing_of
from tests.support.papers import runnable

ROOT = Path(__file__).parents[1]
# What a browser fetches by itself. Links are followed by people.
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|object|embed)\b[^>]*?\b(?:src|data)\s*=\s*["']?([^"'\s>]+)
    |<link\b(?![^>]*rel=["']?(?:canonical|prev|next|edit)\b)[^>]*?\bhref\s*=\s*["']?([^"'\s>]+)
    |url\(\s*["']?([^"')\s]+)|@import\s+["']([^"']+)""",
    re.VERBOSE | re.IGNORECASE,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "BATCHLINE_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    # A link or an anchor that leads nowhere is among what ends it.
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / f"{page.stem}.html").is_file()
    reference = (site / "reference.html").read_text()
    for part in ("POST /v1/batches", "GET /v1/batches/{batch_id}", "Idempotency-Key"):
        assert part in reference


def test_diagrams_are_drawn(site: Path) -> None:
    """Each drawing is named for its diagram's text, and so was made of what stands there now."""
    page = (site / "states.html").read_text()
    diagrams = runnable("docs/states.md", "mermaid")
    assert len(diagrams) == 6
    for diagram in diagrams:
        assert f"diagrams/{drawing_of(diagram.code).name}" in page
        shown = site / "diagrams" / drawing_of(diagram.code).name
        drawing = ElementTree.parse(shown)  # noqa: S314 (ours)
        drawn = "".join(drawing.getroot().itertext())
        for state in re.findall(r"[A-Z]{4,}", diagram.code):
            assert state in drawn
    assert "stateDiagram-v2" not in page


def test_there_is_no_drawing_too_many() -> None:
    assert set(FOLDER.glob("*.svg")) == {drawing_of(text) for text in diagrams()}


def test_nothing_comes_from_another_host(site: Path) -> None:
    found = [
        (path.name, target)
        for path in site.rglob("*")
        if path.suffix in (".html", ".css", ".svg")
        for match in _FETCHED.finditer(path.read_text())
        for target in filter(None, match.groups())
        if re.match(r"(?:[a-z]+:)?//", target, re.IGNORECASE)
    ]
    assert found == []


def test_a_fetched_address_would_be_seen() -> None:
    for line in (
        '<script src="https://cdn.example/x.js">',
        '<link href=//fonts.example/a.css rel="stylesheet">',
        "body { background: url('https://cdn.example/x.png') }",
        '@import "https://fonts.example/x.css"',
    ):
        assert any("example" in str(match.groups()) for match in _FETCHED.finditer(line))
