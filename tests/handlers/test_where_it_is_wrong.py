"""Errors of modules say where, and what may have been meant."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.core.settings import load_settings
from app.doctor.of_machine import look_at_machine
from handlers.load import load_handlers, without_operations


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("walked", "walked.handlers", "walked.deeper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "walked").mkdir()
    (tmp_path / "walked" / "__init__.py").touch()
    return tmp_path / "walked"


def said_of(module: str) -> str:
    with pytest.raises(ImportError) as caught:
        load_handlers([module])
    return str(caught.value)


def test_the_line_of_the_package_that_raised(folder: Path) -> None:
    (folder / "handlers.py").write_text("import walked.deeper\n")
    (folder / "deeper.py").write_text("import json\n\njson.loads('{')\n")
    # Not the line of json that did: it is not theirs to mend.
    assert said_of("walked.handlers").endswith("(deeper.py, line 3)")


def test_a_module_that_is_not_there(folder: Path) -> None:
    found_by = "modules are found from the folder where one starts, or are installed"
    assert said_of("nowhere_at_all.handlers").endswith(found_by)
    assert said_of("walked.handlers").endswith(found_by)
    # One that is there, and lacks another.
    (folder / "handlers.py").write_text("\nimport nowhere_at_all\n")
    assert said_of("walked.handlers").endswith("'nowhere_at_all' (handlers.py, line 2)")


def test_a_package_whose_handlers_are_in_another_module(folder: Path) -> None:
    load_handlers(["walked", "handlers.shipped.demo.handler"])
    assert without_operations(["walked", "handlers.shipped.demo.handler"]) == ["walked"]
    said = [str(finding) for finding in look_at_machine(load_settings({"HANDLERS": "walked"}))]
    assert any("HANDLERS: walked registers no operation" in one for one in said)
