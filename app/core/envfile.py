"""The file `env` in BATCHLINE_HOME: what is running from there, for other processes to use.

`batchline serve` writes it, readable by its owner alone. A shell can source it
(`set -a; . var/env; set +a`) and then run any line of the Procfile by hand, and the command line
looks into it for whatever the environment does not say.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

HEADER = "# Written by `batchline serve`. To use it in a shell:  set -a; . {path}; set +a\n"


def env_path(home: Path) -> Path:
    """Where the file is."""
    return home / "env"


def write_env(home: Path, variables: Mapping[str, str]) -> Path:
    """Write `variables`; returns the file's path. PATH is put before the shell's own."""
    path = env_path(home)
    lines = [HEADER.format(path=shlex.quote(str(path)))]
    for name, value in variables.items():
        quoted = shlex.quote(value)
        lines.append(f'PATH={quoted}":$PATH"\n' if name == "PATH" else f"{name}={quoted}\n")
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.writelines(lines)
    new.replace(path)
    return path


def read_env(home: Path) -> dict[str, str]:
    """The variables of the file; none if there is no such file, or it may not be read."""
    try:
        text = env_path(home).read_text()
    except OSError:
        return {}
    variables = {}
    for line in text.splitlines():
        for word in shlex.split(line, comments=True):
            name, _, value = word.partition("=")
            variables[name] = value
    variables.pop("PATH", None)
    return variables
