"""Every connection of the server is in use for longer than a heartbeat may be old."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg2
import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from handlers import Registry
from tests.engine.rig import Rig
from tests.faults.conftest import superuser
from tests.support.stack import Stack, wait_for

pytestmark = pytest.mark.whole

ITEMS = 4

_WORKERS, _HEARTBEATS = "batchline-worker%", "batchline-heartbeat%"
_HELD = "SELECT count(*) AS n FROM slices WHERE state = 'CLAIMED'"
_CUT = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE state = 'idle' AND application_name LIKE ANY(%s)
"""


@contextmanager
def _used_up(url: str, cutting: list[str]) -> Iterator[None]:
    """No connection is to be had; idle sessions of those names are ended, and ours at once."""
    taken: list[psycopg2.extensions.connection] = []
    over = threading.Event()

    def take() -> None:
        with superuser(url) as cursor:
            # What is reserved for superusers has to be in use too: so are the workers here.
            while not over.is_set():
                with contextlib.suppress(psycopg2.OperationalError):
                    while True:
                        taken.append(psycopg2.connect(url, application_name="taken"))
                if cutting:
                    cursor.execute(_CUT, (cutting,))
                over.wait(0.02)

    thread = threading.Thread(target=take)
    thread.start()
    try:
        wait_for(lambda: len(taken) > 5, within=10)
        yield
    finally:
        over.set()
        thread.join(10)
        for connection in taken:
            connection.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("cut", [[_WORKERS], [_WORKERS, _HEARTBEATS]], ids=["not theirs", "all"])
def test_who_lives_is_not_taken_for_dead(
    own_stack: Stack,
    own_settings: Settings,
    own_engine: Engine,
    own_client: ClientSecret,
    registry: Registry,
    server_url: str,
    cut: list[str],
) -> None:
    timeout = own_settings.heartbeat_timeout
    items = [{"key": f"k{n}", "seconds": 3 * timeout} for n in range(ITEMS)]
    # A worker elsewhere, which has its connections.
    elsewhere = Rig(own_engine, own_settings, registry)
    with ExitStack() as open_ones:
        for _ in range(4):
            open_ones.enter_context(own_engine.connect())
    with own_stack.http(own_client) as http:
        answer = http.post("/v1/batches", json={"operation": "test.outside", "items": items})
        batch_id = answer.json()["id"]
        wait_for(lambda: elsewhere.rows(_HELD)[0].n >= 2, what="slices at work")
        with _used_up(server_url, cut):
            looked = 0
            until = time.monotonic() + 2 * timeout
            while time.monotonic() < until:
                # Where no heartbeat can be written, whoever sweeps may not know of it. Those here
                # do, who cannot write theirs.
                if _HEARTBEATS not in cut:
                    swept = elsewhere.sweep()
                    # Nothing where another is at it.
                    looked += bool(swept)
                    assert swept.get("claims_taken_over", 0) == 0
                time.sleep(0.2)
            assert looked or _HEARTBEATS in cut
        batch = own_stack.finished(http, batch_id, within=90)
    assert batch["status"] == "SUCCESS"
    rows = elsewhere.items(batch_id)
    assert [(row.attempts, row.crashes) for row in rows] == [(1, 0)] * ITEMS, own_stack.tail()
