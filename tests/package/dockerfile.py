"""As much of a Dockerfile as ours has, carried out in a folder that stands for the image's root."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.package.installing import ROOT


@dataclass
class Stage:
    """Instructions from one FROM to the next, in order: the word, and what is behind it."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        """What is behind each `word`."""
        return [rest for found, rest in self.steps if found == word]

    def environ(self) -> dict[str, str]:
        """What ENV sets, `PATH` as it is written."""
        return dict(pair.split("=", 1) for line in self.all("ENV") for pair in line.split())


def parse(text: str) -> list[Stage]:
    """The stages of a Dockerfile."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    stages: list[Stage] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base, name))
        else:
            stages[-1].steps.append((word, " ".join(rest.split())))
    return stages


def context(source: Path) -> list[Path]:
    """What the build is given of the folder `source`.

    All of it; with a .dockerignore what that lets in, of what git has or would take.
    """
    if not (source / ".dockerignore").exists():
        return [path.relative_to(source) for path in source.rglob("*") if path.is_file()]
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=source,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rules = (source / ".dockerignore").read_text().split()
    let_in = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    names = filter(None, listed.split("\0"))
    return [
        Path(name)
        for name in names
        if any(fnmatch.fnmatch(name, rule) or name.startswith(f"{rule}/") for rule in let_in)
        and (source / name).is_file()
    ]


@dataclass
class Builder:
    """Carries steps out below `root`, with files of `source`. The machine's Python is the image's.

    What would change the machine itself (`useradd`) is refused: it is for the test to look at.
    """

    root: Path
    folder: str = "/"
    source: Path = ROOT

    def place(self, path: str) -> Path:
        """Where a path of the image is."""
        return self.root / os.path.join(self.folder, path).lstrip("/")

    def do(self, word: str, rest: str) -> None:
        """WORKDIR, COPY or RUN."""
        if word == "WORKDIR":
            self.folder = rest
            self.place(rest).mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            *sources, target = rest.split()
            for source in sources:
                self._copy(source, self.place(target))
        elif word == "RUN":
            self._run(rest)
        else:
            raise AssertionError(f"{word} is not carried out here")

    def _copy(self, source: str, target: Path) -> None:
        found = [
            path
            for path in context(self.source)
            if str(path) == source or source in ("", ".", *map(str, path.parents))
        ]
        assert found, f"COPY {source}: the build has no such file"
        for path in found:
            within = target / (path.name if str(path) == source else path.relative_to(source))
            within.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.source / path, within)
            # As git has it, whatever this machine's clone was made with.
            within.chmod(0o755 if os.access(self.source / path, os.X_OK) else 0o644)

    def _run(self, line: str) -> None:
        assert "useradd" not in line
        # What lies there is ours; everything else is the machine's.
        line = re.sub(r" (?=/(opt|data|tmp)\b)", f" {self.root}", line)
        if line.startswith("/"):
            line = f"{self.root}{line}"
        # What is downloaded may be kept: it is looked at by its hash anyway.
        line = line.replace(" --no-cache-dir", "")
        python = Path(sys.executable).resolve().parent
        done = subprocess.run(
            ["/bin/sh", "-ec", line],
            cwd=self.place(self.folder),
            env={**os.environ, "PATH": f"{python}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def command(rest: str) -> list[str]:
    """CMD or ENTRYPOINT, as a list."""
    found: list[str] = json.loads(rest)
    return found
