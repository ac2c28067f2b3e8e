"""A dump of a system that runs, brought back elsewhere, goes on by itself."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from app.local.servers.postgres import postgres_programs
from tests.conftest import TEST_HANDLERS, fresh_database, other_redis
from tests.support.papers import runnable
from tests.support.stack import Stack, running_stack, wait_for

pytestmark = pytest.mark.whole

ITEMS = 200
_EFFECTS = text(
    "SELECT key, data::text FROM records WHERE client_id = :client AND collection = 'probe'"
)


def libpq(url: str) -> str:
    """The URL as PostgreSQL's programs take it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def test_a_batch_goes_on_where_the_dump_was_brought_back(
    stack: Stack, client: ClientSecret, postgres_url: str, settings: Settings, tmp_path: Path
) -> None:
    [commands] = runnable("docs/operating.md", "console")
    dump, restore = commands.code.splitlines()

    def told(command: str, **environ: str) -> None:
        """Run what the paper says, in a shell."""
        path = f"{postgres_programs()}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-euc", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, **environ},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    with stack.http(client) as http:
        # Longer than a dump takes of all that other tests have left in the database.
        items = [{"key": f"k{number}", "seconds": 0.2} for number in range(ITEMS)]
        body = {"operation": "test.probe", "items": items}
        batch_id = http.post("/v1/batches", json=body).raise_for_status().json()["id"]

        def done() -> int:
            found = http.get(f"/v1/batches/{batch_id}").raise_for_status().json()
            return int(found["summary"]["completed"])

        wait_for(lambda: done() > 20, within=60, what=stack.tail)
        told(dump, DATABASE_URL=libpq(settings.database_url or ""))
        assert done() < ITEMS, "the dump is of a batch that runs"

        with fresh_database(postgres_url) as url:
            told(restore, RESTORED_URL=libpq(url))
            copy = replace(settings, batchline_home=tmp_path).with_servers(
                database_url=url, redis_url=other_redis(settings)
            )
            # A Redis that knows nothing, and nobody who tells the batch to go on.
            with (
                running_stack(copy, handlers=TEST_HANDLERS) as restored,
                restored.http(client) as there,
            ):
                found = restored.finished(there, batch_id, within=120)
            assert (found["status"], found["summary"]["completed"]) == ("SUCCESS", ITEMS)
            engine: Engine = create_engine(make_url(url).set(drivername="postgresql+psycopg2"))
            with engine.connect() as connection:
                effects = connection.execute(_EFFECTS, {"client": client.client_id}).all()
            engine.dispose()
        # Those before the dump and those after it: each took effect once.
        assert {row.key: json.loads(row.data) for row in effects} == {
            f"k{number}": [number] for number in range(ITEMS)
        }
        assert stack.finished(http, batch_id)["status"] == "SUCCESS"
