"""Postgres was restarted, or ended every session: callers notice nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import create_client
from app.core.settings import Settings, load_settings
from app.db import make_engine
from app.db.migrations import upgrade
from app.local.servers import Server, start_postgres
from app.web.services import EXTENSION, Services
from tests.api.conftest import ITEM, Caller
from tests.support.application import application

OPEN = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM]}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A Postgres of the test's own, which it may stop."""
    tmp_path.chmod(0o711)
    for folder in tmp_path.parents[:2]:
        folder.chmod(0o711)
    with start_postgres(tmp_path, options={"fsync": "off"}) as server:
        yield server


@pytest.fixture
def own(server: Server, settings: Settings) -> Iterator[tuple[Caller, Services]]:
    """A client of an application on that server."""
    url = load_settings({"DATABASE_URL": server.url}).database_url
    engine = make_engine(url or "", name="batchline-tests")
    upgrade(engine)
    client = create_client(engine, f"own {uuid4()}")
    engine.dispose()
    with application(replace(settings, database_url=url)) as app:
        yield Caller(app, client), app.extensions[EXTENSION]


def end_sessions(engine: Engine) -> int:
    """End all but our own, and wait until they have ended."""
    with engine.connect() as connection:
        ended = connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE application_name = 'batchline-web'"
            )
        )
        return len(ended.all())


@pytest.mark.usefixtures("own_processes")
def test_a_restart_is_not_noticed(own: tuple[Caller, Services], server: Server) -> None:
    api, here = own
    outside = make_engine(str(here.settings.database_url), name="batchline-tests")
    batch_id = api.opened([ITEM])
    server.stop()
    server.revive()
    assert api.get(f"/v1/batches/{batch_id}").status_code == 200
    server.stop()
    server.revive()
    assert api.submit(OPEN).status_code == 202
    assert end_sessions(outside) >= 1
    assert api.submit(OPEN, headers={"Idempotency-Key": "cut"}).status_code == 202
    assert end_sessions(outside) >= 1
    assert api.get(f"/v1/batches/{batch_id}").status_code == 200
    outside.dispose()
