"""What the console has of others is what its table says, with its licence beside it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from app.console.shell.assets import FILES
from tests.support.stack import ROOT

VENDOR = ROOT / "app/console/vendor"
OURS = {"README.md", "copy.sh", "package.json"}
_ROW = re.compile(r"^\| `([^`]+)` \| (\S+) \| (\S+) \| `([0-9a-f]{64})` \|$", re.MULTILINE)
_LICENCE = "Permission to use, copy, modify, and/or distribute this software"


@dataclass(frozen=True, slots=True)
class Vendored:
    """A row of the table."""

    file: str
    package: str
    version: str
    sha256: str


def table() -> list[Vendored]:
    return [Vendored(*row) for row in _ROW.findall((VENDOR / "README.md").read_text())]


def test_each_file_is_the_one_that_the_table_says() -> None:
    rows = table()
    there = {each.name for each in VENDOR.iterdir()} - OURS
    assert {row.file for row in rows} == there
    assert len(rows) == len(there)
    for row in rows:
        assert hashlib.sha256((VENDOR / row.file).read_bytes()).hexdigest() == row.sha256, row.file


def test_the_versions_are_those_that_are_copied() -> None:
    asked = json.loads((VENDOR / "package.json").read_text())["dependencies"]
    assert {row.package: row.version for row in table()} == asked
    # The one of them that says so itself.
    assert f'version:"{asked["htmx.org"]}"' in (VENDOR / "htmx.min.js").read_text()


def test_each_has_its_licence_beside_it() -> None:
    rows = table()
    licensed = {row.package for row in rows if row.file.endswith(".LICENSE")}
    assert licensed == {row.package for row in rows}
    for row in rows:
        if row.file.endswith(".LICENSE"):
            assert _LICENCE in (VENDOR / row.file).read_text()


def test_no_other_s_file_lies_elsewhere() -> None:
    """What is served is ours, or stands in the table."""
    others = {path.name for path in FILES.values() if path.parent == VENDOR}
    assert others == {row.file for row in table() if row.file.endswith(".js")}
    for path in FILES.values():
        if path.parent != VENDOR:
            assert path.parent == ROOT / "app/console/shell/static", path
            # What is packed has lines that nobody wrote.
            assert max(map(len, path.read_text().splitlines())) < 2000, path
