"""The code of the release before, from git."""

from __future__ import annotations

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from tests.support.stack import ROOT

_COMMIT = Path(__file__).with_name("before.txt")


class NoHistory(Exception):
    """The clone is shallow, and lacks the commit; the message says what to do."""


def code_of_the_release_before(folder: Path) -> None:
    """Write it to `folder`, from where it runs in today's environment.

    Raises NoHistory, and RuntimeError where the commit cannot be had although there is a history.
    """
    lines = _COMMIT.read_text().splitlines()
    [commit] = [line for line in lines if line and not line.startswith("#")]
    archive = _git("archive", "--format=tar", commit)
    if archive.returncode:
        why = (
            f"the release before is commit {commit} ({_COMMIT.relative_to(ROOT)}), and this clone "
            "does not have it"
        )
        if _git("rev-parse", "--is-shallow-repository").stdout.strip() == b"false":
            raise RuntimeError(f"{why}: {archive.stderr.decode(errors='replace').strip()}")
        raise NoHistory(f"{why}, as it has no history: `git fetch --unshallow`")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")


def _git(*args: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *args], cwd=ROOT, capture_output=True, check=False)
