"""How many web processes there are: as many as cores, unless it is said."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest

GUNICORN = Path(__file__).parents[2] / "app/server/gunicorn.py"


@pytest.mark.parametrize(
    ("said", "cores", "processes"),
    [("", 1, 1), ("", 2, 2), ("", 64, 4), ("0", 3, 3), ("1", 64, 1), ("9", 2, 9)],
)
def test_there_is_one_for_each_core(
    monkeypatch: pytest.MonkeyPatch, said: str, cores: int, processes: int
) -> None:
    monkeypatch.setenv("WEB_WORKERS", said)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert runpy.run_path(str(GUNICORN))["workers"] == processes
