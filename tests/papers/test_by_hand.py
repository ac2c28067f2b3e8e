"""The chapter of docs/deploying.md that begins with nothing, walked up to its proxy.

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
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url

from app.core.settings import Settings
from app.local.serve.procfile import load_procfile
from app.local.servers.ports import free_port
from tests.conftest import other_redis
from tests.papers.shell import run
from tests.support.papers import runnable

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


def test_it_ends_in_a_batch(
    here: dict[str, str], postgres_url: str, tmp_path: Path, own_processes: None
) -> None:
    def as_here(code: str) -> str:
        for said, meant in here.items():
            code = code.replace(said, meant)
        return code

    [sql] = runnable("docs/deploying.md", "sql")
    blocks = [one.code for one in runnable("docs/deploying.md", "console")]
    first = next(n for n, code in enumerate(blocks) if code.startswith("install -d"))
    files, migrate, start, look, submit = map(as_here, blocks[first : first + 5])
    for line in (load_procfile()[name] for name in ("web", "worker", "slow", "beat")):
        assert f"{line} &" in start
    by_superuser(postgres_url, *as_here(sql.code).split(";")[:-1])

    run(files, tmp_path)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "etc").iterdir()} == {0o600}
    assert "Applied" in run(migrate, tmp_path)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(
            ["bash", "-euc", start],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        told = run(look, tmp_path)
        assert " wrong " not in told
        [secret] = re.findall(r"\bbls_[\w-]+", told)
        answer = run(submit, tmp_path, BATCHLINE_SECRET=secret)
        assert json.loads(answer)["status"] == "SUCCESS", answer
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(30)
