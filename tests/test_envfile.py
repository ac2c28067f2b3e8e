"""The env file: what a shell makes of it, and what we read back."""

from __future__ import annotations

import subprocess
from pathlib import Path

from app.core.envfile import read_env, write_env

VARIABLES = {
    "DATABASE_URL": "postgresql://u:p'a$s \"w@h/d?x=1&y=#2",
    "BATCHLINE_HOME": "/a folder/with `odd` names",
    "PATH": "/some where/bin",
}


def test_it_reads_back_as_it_was_written_for_its_owner_alone(tmp_path: Path) -> None:
    path = write_env(tmp_path, VARIABLES)
    assert path.stat().st_mode & 0o777 == 0o600
    expected = {name: value for name, value in VARIABLES.items() if name != "PATH"}
    assert read_env(tmp_path) == expected
    assert read_env(tmp_path / "nowhere") == {}


def test_a_shell_gets_the_same(tmp_path: Path) -> None:
    path = write_env(tmp_path, VARIABLES)
    script = f'set -a; . "{path}"; set +a; printf "%s\\n" "$DATABASE_URL" "$BATCHLINE_HOME" "$PATH"'
    done = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, env={"PATH": "/bin"}, check=True
    )
    assert done.stdout.splitlines() == [
        VARIABLES["DATABASE_URL"],
        VARIABLES["BATCHLINE_HOME"],
        "/some where/bin:/bin",
    ]
