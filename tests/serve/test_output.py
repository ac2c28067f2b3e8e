"""What a person at the terminal sees of the processes, and what is in files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from app.local.serve import log_files
from app.local.serve.log_files import LogFiles
from app.local.serve.output import Output
from app.local.serve.worth_showing import worth_showing


def logged(level: str, **fields: object) -> str:
    return json.dumps({"event": "it.happened", "level": level, "timestamp": "now", **fields})


@pytest.mark.parametrize("level", ["debug", "info"])
def test_what_goes_as_it_should_is_not_shown(level: str) -> None:
    assert worth_showing(logged(level)) is None


@pytest.mark.parametrize("level", ["warning", "error", "critical"])
def test_a_warning_is_readable(level: str) -> None:
    told = worth_showing(logged(level, batch="b1", exception="Traceback\n  boom"))
    assert told is not None
    assert told.startswith(level.upper())
    for part in ("it.happened", "batch=b1", "Traceback\n      boom"):
        assert part in told
    assert "timestamp" not in told


def test_nothing_that_others_sent_acts_in_the_terminal() -> None:
    sent = "x\x1b[2J\x9b8m\rforged"
    told = worth_showing(
        json.dumps({"event": sent, "level": "warning", "exception": sent, "path": sent})
    )
    assert told is not None
    assert told.count("forged") == 3
    assert not any(acting in told for acting in "\x1b\x9b\r")


@pytest.mark.parametrize("line", ["printed by a handler", "[1]", "{not json", '"text"'])
def test_what_is_no_log_is_shown_as_it_is(line: str) -> None:
    assert worth_showing(line) == line


def test_files_have_all_and_the_terminal_what_matters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, files = Output(), LogFiles(tmp_path / "log")
    output.keep_in(files)
    lines = [logged("info", number=1), logged("warning", number=2), "printed"]
    for line in lines:
        output.line(line, "worker")
    output.line("our own")
    files.close()
    assert (tmp_path / "log" / "worker.log").read_text().splitlines() == lines
    shown = capsys.readouterr().out
    assert "number=1" not in shown
    for part in ("WARNING it.happened", "number=2", "worker    | printed", "batchline | our own"):
        assert part in shown
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


def test_files_do_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "LARGEST", 1000)
    files = LogFiles(tmp_path / "log")
    for number in range(200):
        files.write("web", f"{number:0100}")
    files.close()
    found = sorted(path.name for path in (tmp_path / "log").iterdir())
    assert found == ["web.log", "web.log.1", "web.log.2", "web.log.3"]
    assert (tmp_path / "log" / "web.log").read_text().endswith(f"{199:0100}\n")


@pytest.mark.parametrize(
    ("name", "value"), [("TERM", "dumb"), ("NO_COLOR", "1"), ("TERM", "xterm")]
)
def test_colours_are_for_terminals_that_know_and_people_who_want_them(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable, usual in (("TERM", "xterm"), ("NO_COLOR", "")):
        monkeypatch.setenv(variable, usual)
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    Output().line("printed", "worker")
    assert ("\x1b" in capsys.readouterr().out) == (value == "xterm")
