"""Wheels built and installed without a network: what they need is what the tests run on already."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What the Procfile starts that is not ours. Their scripts name the interpreter that they are for.
_PROGRAMS = ("celery", "gunicorn")


def run(
    command: Sequence[str | Path], *, cwd: Path, timeout: float = 120, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, in an environment without what the tests run on."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def build(project: Path, into: Path) -> Path:
    """The wheel of a project, made in the folder `into`, which holds no other.

    It is built from a copy of what git has of the project or would take: building leaves traces.
    """
    copy = into / f"{project.name}-source"
    listed = run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=project
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (project / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(project / name, copy / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-index"]
    built = run([*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", into, copy], cwd=into)
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = into.glob("*.whl")
    return wheel


class Environment:
    """A fresh environment in `folder`, with these wheels installed.

    What they need is found where the tests find it, behind what is installed here. Batchline itself
    is not found there: the tests' environment has no more of it than a link to the clone.
    """

    def __init__(self, folder: Path, *wheels: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.python = self.bin / "python"
        venv.create(folder, symlinks=True)
        [packages] = folder.glob("lib/python*/site-packages")
        self.packages = packages
        (packages / "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        for name in _PROGRAMS:
            script = Path(sys.executable).with_name(name).read_text()
            (self.bin / name).write_text(f"#!{self.python}\n{script.partition(chr(10))[2]}")
            (self.bin / name).chmod(0o755)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        command = [*pip, "--python", str(self.python), "install", "--no-index", "--no-deps"]
        installed = run([*command, *map(str, wheels)], cwd=folder)
        assert installed.returncode == 0, installed.stdout + installed.stderr

    def run(
        self, *command: str | Path, cwd: Path, timeout: float = 120, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, in any folder."""
        program, *rest = command
        return run([self.bin / program, *rest], cwd=cwd, timeout=timeout, **environ)
