"""Where there is no browser, whoever runs the tests is told how to get one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.browser import chromium


def test_it_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(RuntimeError, match="make browser"):
        chromium(str(tmp_path / "none"))


def test_one_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = tmp_path / "mine"
    named.touch()
    monkeypatch.setenv("CHROMIUM", str(named))
    assert chromium() == str(named)
