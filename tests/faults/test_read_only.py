"""A server that takes no writes for a while, as after a failover: an answer of 503, then none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
import psycopg2
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from app.clients.credentials import ClientSecret
from app.core.addresses import database_url, libpq_url
from app.db import make_engine
from app.local.servers.ports import free_port
from tests.faults.conftest import superuser
from tests.support.stack import Stack, wait_for

ITEMS = 60


@contextmanager
def _read_only(url: str) -> Iterator[None]:
    """Every session of the server, old or new, takes no writes in the block."""
    with superuser(url) as cursor:
        try:
            cursor.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            cursor.execute("SELECT pg_reload_conf()")
            yield
        finally:
            cursor.execute("ALTER SYSTEM RESET default_transaction_read_only")
            cursor.execute("SELECT pg_reload_conf()")


def _submit(http: httpx.Client, operation: str, seconds: float = 0.0) -> httpx.Response:
    run = uuid4().hex
    items = [{"key": f"{run}-{n}", "seconds": seconds} for n in range(ITEMS)]
    return http.post("/v1/batches", json={"operation": operation, "items": items})


@pytest.mark.whole
@pytest.mark.timeout(180)
def test_it_is_away_as_long_as_it_takes_no_writes(
    own_stack: Stack, own_client: ClientSecret, own_engine: Engine, server_url: str
) -> None:
    with own_stack.http(own_client) as http:
        ids = [
            _submit(http, operation, 0.2).raise_for_status().json()["id"]
            for operation in ("test.outside", "test.probe")
        ]
        wait_for(lambda: _ended(own_engine) > 0, what="items that have ended")
        answers = []
        with _read_only(server_url):
            until = time.monotonic() + 6
            while time.monotonic() < until:
                answers.append(_submit(http, "test.probe"))
                time.sleep(0.3)
        # The first may have come before the server had read its settings.
        refused = [answer for answer in answers if answer.status_code != 202]
        assert len(refused) >= len(answers) - 1
        for answer in refused:
            assert (answer.status_code, "Retry-After" in answer.headers) == (503, True), answer.text
        again = wait_for(lambda: _accepted(_submit(http, "test.probe")), within=10)
        ids += [answer.json()["id"] for answer in answers if answer.status_code == 202] + [again]
        for batch_id in ids:
            batch = own_stack.finished(http, batch_id, within=90)
            assert batch["status"] == "SUCCESS", own_stack.tail()
            page = http.get(f"/v1/batches/{batch_id}/items", params={"limit": ITEMS}).json()
            assert [item["attempts"] for item in page["data"]] == [1] * ITEMS
            # Each took effect once: those that were undone, when they were done again.
            for item in page["data"] if batch["operation"] == "test.probe" else []:
                record = http.get(f"/v1/records/probe/{item['input']['key']}").json()
                assert record["data"] == [item["index"]]


def test_a_new_session_goes_to_none_that_takes_no_writes(
    own_engine: Engine, server_url: str
) -> None:
    url = own_engine.url.render_as_string(hide_password=False)
    engine = make_engine(url, name="tests")
    patient = make_engine(f"{url}?target_session_attrs=any", name="tests")
    with _read_only(server_url):
        wait_for(lambda: not _connects(engine), within=10)
        assert _connects(patient), "whoever asks for it may read"
    wait_for(lambda: _connects(engine), within=10)
    engine.dispose()
    patient.dispose()


def test_of_several_servers_the_one_that_answers_is_taken(own_engine: Engine) -> None:
    one = own_engine.url
    given = (
        f"postgresql://{one.username}:{one.password}@127.0.0.1:{free_port()},"
        f"{one.host}:{one.port}/{one.database}"
    )
    engine = make_engine(database_url(given), name="tests")
    assert _connects(engine)
    engine.dispose()
    psycopg2.connect(libpq_url(database_url(given))).close()


def _accepted(answer: httpx.Response) -> str | None:
    return str(answer.json()["id"]) if answer.status_code == 202 else None


def _connects(engine: Engine) -> bool:
    engine.dispose()
    try:
        with engine.connect():
            return True
    except OperationalError:
        return False


def _ended(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(
            connection.execute(
                text("SELECT count(*) FROM items WHERE status = 'SUCCESS'")
            ).scalar_one()
        )
