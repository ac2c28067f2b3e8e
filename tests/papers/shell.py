"""Blocks of shell from the papers, run as a reader would: typed in, one after the other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

# A reader would see the refusal; here it ends the block.
_PREAMBLE = 'curl() { command curl --fail-with-body "$@"; }\n'


def typed(code: str) -> list[tuple[str, str]]:
    """The commands of a session with prompts, each with what is shown below it.

    A line that goes on is indented.
    """
    parts = re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]
    commands = []
    for part in parts:
        lines = part.splitlines()
        ends = next(
            (n for n, line in enumerate(lines[1:], 1) if not line.startswith(" ")), len(lines)
        )
        commands.append(("\n".join(lines[:ends]), "\n".join(lines[ends:]).strip()))
    return commands


def run(command: str, folder: Path, **environ: str) -> str:
    """What it prints, in that folder; a command that fails fails the test."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _PREAMBLE + command],
        cwd=folder,
        env={**os.environ, "PATH": path, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
