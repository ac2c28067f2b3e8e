"""The document as a running system gives it, and what every generated client has to bring about."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.clients.credentials import ClientSecret
from tests.support.stack import Stack

DRIVERS = Path(__file__).parent / "drivers"
TYPESCRIPT = Path(__file__).parent / "typescript"
# What each driver, in its own language, prints of the same steps.
EXPECTED: dict[str, Any] = {
    "ended": ["PARTIAL", 2, 3],
    "replayed": "true",
    "failures": [[index, "countryCode: Must be two capital letters."] for index in (1, 2, 4)],
    "pages": 2,
    "lines": [0, 1, 2, 3, 4],
    "rows": 6,
    "events": ["event: progress", "event: finished"],
    "second": "SUCCESS",
    "retried": True,
    "refused": [409, "urn:batchline:problem:wrong-state"],
    "unknown": [422, "/operation"],
    "listed": 1,
    "limits": 100,
    # An answer with a word that was not there when the client was made.
    "new_words": ["RESTING", "PONDERING"],
}


@pytest.fixture
def document(stack: Stack, tmp_path: Path) -> Path:
    """A file with `/openapi.json`, the dialects included, as the running system gives it."""
    path = tmp_path / "openapi.json"
    path.write_bytes(httpx.get(f"{stack.url}/openapi.json").raise_for_status().content)
    return path


Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("tool", "argument")`: what it prints; a tool that fails fails the test."""

    def run(*command: str, cwd: Path = tmp_path, **environ: str) -> str:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(tmp_path), **environ},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    return run


def tool(name: str) -> str:
    """The path of a program that is installed beside this Python."""
    return str(Path(sys.executable).parent / name)


@pytest.fixture
def brings_about(run: Run, stack: Stack, client: ClientSecret) -> Callable[..., None]:
    """Run a driver on the running system, and look at what it prints."""

    def brings_about(*command: str, **options: Any) -> None:
        printed = run(*command, stack.url, client.secret, **options)
        assert json.loads(printed) == EXPECTED

    return brings_about
