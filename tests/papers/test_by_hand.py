"""The chapter of docs/deploying.md that begins with nothing, up to its proxy, and an upgrade.

Its addresses, names in Postgres and folders are exchanged for the session's; instead of by the
proxy the batch goes where that would pass it on.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
from sqlalchemy import make_url

from app.core.settings import Settings
from app.local.serve.procfile import load_procfile
from app.local.servers.ports import free_port
from tests.conftest import other_redis
from tests.papers.shell import run
from tests.support.papers import runnable
from tests.support.stack import wait_for

pytestmark = [pytest.mark.timeout(300), pytest.mark.whole]


def by_superuser(url: str, *statements: str) -> None:
    """Each by itself, as a database is not made in a transaction."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@pytest.fixture
def here(settings: Settings, postgres_url: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What is put in the place of what the chapter says; what it makes in Postgres goes again."""
    server = make_url(postgres_url)
    port = str(free_port())
    yield {
        "/etc/batchline": str(tmp_path / "etc"),
        "/var/lib/batchline": str(tmp_path / "var"),
        "@127.0.0.1:5432/batchline": f"@{server.host}:{server.port}/by_hand",
        "DATABASE batchline ": "DATABASE by_hand ",
        "batchline_owner": "by_hand_owner",
        "batchline_processes": "by_hand_processes",
        "redis://:REDIS_SECRET@127.0.0.1:6379/0": other_redis(settings),
        "PORT=8000": f"PORT={port}",
        "https://batch.example.com": f"http://127.0.0.1:{port}",
    }
    by_superuser(
        postgres_url,
        "DROP DATABASE IF EXISTS by_hand WITH (FORCE)",
        "DROP ROLE IF EXISTS by_hand_processes",
        "DROP ROLE IF EXISTS by_hand_owner",
    )


def _started(script: str, folder: Path) -> subprocess.Popen[bytes]:
    """A shell, in a session of its own, whose processes go on when it has ended."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            ["bash", "-euc", script],
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _ended(shells: list[subprocess.Popen[bytes]]) -> None:
    """End all that these have started, and wait until none of it is there."""
    for shell in shells:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)
    for shell in shells:
        shell.wait(30)
        wait_for(partial(_is_over, shell.pid), within=30)


def _is_over(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def _pids(folder: Path) -> dict[str, int]:
    return {path.stem: int(path.read_text()) for path in (folder / "var").glob("*.pid")}


def test_it_ends_in_a_batch_and_an_upgrade_loses_none(
    here: dict[str, str], postgres_url: str, tmp_path: Path, own_processes: None
) -> None:
    def as_here(code: str) -> str:
        for said, meant in here.items():
            code = code.replace(said, meant)
        return code

    [sql] = runnable("docs/deploying.md", "sql")
    blocks = [one.code for one in runnable("docs/deploying.md", "console")]
    first = next(n for n, code in enumerate(blocks) if code.startswith("install -d"))
    files, migrate, start, look, submit, replace = map(as_here, blocks[first : first + 6])
    for line in (load_procfile()[name] for name in ("web", "worker", "slow", "beat")):
        assert f"{line} &" in start
        assert f"{line} &" in replace
    by_superuser(postgres_url, *as_here(sql.code).split(";")[:-1])

    run(files, tmp_path)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "etc").iterdir()} == {0o600}
    assert "Applied" in run(migrate, tmp_path)
    shells = [_started(start, tmp_path)]
    try:
        told = run(look, tmp_path)
        assert " wrong " not in told
        [secret] = re.findall(r"\bbls_[\w-]+", told)
        answer = run(submit, tmp_path, BATCHLINE_SECRET=secret)
        assert json.loads(answer)["status"] == "SUCCESS", answer

        with httpx.Client(
            base_url=here["https://batch.example.com"],
            headers={"Authorization": f"Bearer {secret}"},
            timeout=60,
        ) as api:
            # Some twenty seconds for the slow worker, which is replaced within the first of them.
            items = [{"seconds": 0.3}] * 2000
            body = {"operation": "demo.sleep", "items": items}
            made = api.post("/v1/batches", json=body).raise_for_status().json()
            place = f"/v1/batches/{made['id']}"
            wait_for(lambda: api.get(place).json()["summary"]["completed"])
            before = _pids(tmp_path)

            run(migrate, tmp_path)
            shells.append(_started(replace, tmp_path))
            assert shells[1].wait(120) == 0, (tmp_path / "log").read_text()
            after = _pids(tmp_path)
            assert before.keys() == after.keys() == {"web", "worker", "slow", "beat"}
            for name, pid in before.items():
                assert after[name] != pid
                assert not Path(f"/proc/{pid}").exists()

            def finished() -> dict[str, Any] | None:
                found: dict[str, Any] = api.get(place, params={"wait": 30}).json()
                return found if found["finishedAt"] else None

            batch = wait_for(finished, within=120)
            assert batch["status"] == "SUCCESS", batch
            assert batch["summary"]["completed"] == len(items)
            replaced = (tmp_path / "var" / "slow.pid").stat().st_mtime
            assert datetime.fromisoformat(batch["finishedAt"]).timestamp() > replaced
    finally:
        _ended(shells)
