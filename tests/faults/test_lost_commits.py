"""The answer of a COMMIT is lost: whoever waits for it is told the truth, and nothing is twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client
from app.core.errors import Unavailable
from app.core.settings import Settings
from app.db import make_engine
from handlers.load import load_handlers
from tests.api.conftest import Caller
from tests.conftest import TEST_HANDLERS, engine_of_its_own
from tests.engine.rig import Rig
from tests.support.application import application
from tests.support.swallowing import SwallowingProxy, swallowing

BODY = {"operation": "test.probe", "start": "manual", "items": [{"key": f"k{n}"} for n in range(3)]}
KEY = {"Idempotency-Key": "feed-1"}
FEW, MANY, FENCE = b"INSERT INTO items", b"COPY items", b"UPDATE slices SET completed"


@pytest.fixture(scope="module")
def direct(postgres_url: str) -> Iterator[Engine]:
    """A database of these tests' own."""
    with engine_of_its_own(postgres_url) as engine:
        yield engine


@pytest.fixture
def proxy(direct: Engine) -> Iterator[SwallowingProxy]:
    """A wire to it."""
    with swallowing(direct.url.render_as_string(hide_password=False)) as proxy:
        yield proxy


@pytest.fixture
def app(proxy: SwallowingProxy, settings: Settings) -> Iterator[Flask]:
    """The application at the other end of the wire."""
    with application(replace(settings, database_url=proxy.url, handlers=(TEST_HANDLERS,))) as app:
        yield app


@pytest.fixture
def own(direct: Engine) -> ClientSecret:
    """A client there."""
    return create_client(direct, f"lost commits {uuid4()}")


@pytest.fixture
def api(app: Flask, own: ClientSecret) -> Caller:
    """It calls."""
    caller = Caller(app, own)
    assert caller.get("/v1/batches").json["data"] == []  # connected, and known
    return caller


def _stored(api: Caller) -> list[str]:
    return [batch["id"] for batch in api.get("/v1/batches").json["data"]]


@pytest.mark.parametrize("count", [3, 3000], ids=["few", "many"])
@pytest.mark.parametrize("headers", [{}, KEY], ids=["without a key", "with a key"])
def test_a_batch_that_is_there_is_accepted(
    api: Caller, proxy: SwallowingProxy, headers: dict[str, str], count: int
) -> None:
    body = {**BODY, "items": [{"key": f"k{n}"} for n in range(count)]}
    # A few items without a key are one statement, which commits by itself.
    proxy.arm(FEW if count == 3 else MANY, apart=count == 3 and not headers)
    answer = api.submit(body, headers=headers)
    assert proxy.swallowed == 1
    assert answer.status_code == 202, answer.text
    assert _stored(api) == [answer.json["id"]]
    assert answer.json["summary"]["total"] == count
    if headers:
        again = api.submit(body, headers=headers)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.json == answer.json


@pytest.mark.slow
def test_one_that_is_not_there_is_refused_and_its_key_is_free(
    api: Caller, proxy: SwallowingProxy
) -> None:
    proxy.arm(FEW, arrives=False)
    answer = api.submit(BODY, headers=KEY)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert _stored(api) == []
    again = api.submit(BODY, headers=KEY)
    assert (again.status_code, again.headers.get("Idempotent-Replayed")) == (202, None)
    assert _stored(api) == [again.json["id"]]


@pytest.mark.slow
def test_where_nobody_can_tell_it_says_so_and_the_key_makes_another_try_safe(
    api: Caller, proxy: SwallowingProxy, direct: Engine
) -> None:
    proxy.arm(FEW, dark=True)
    answer = api.submit(BODY, headers=KEY)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert "may have been" in answer.json["detail"]
    assert "Idempotency-Key" in answer.json["detail"]
    proxy.light()
    [stored] = _stored(api)
    again = api.submit(BODY, headers=KEY)
    assert (again.status_code, again.json["id"]) == (202, stored)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert _stored(api) == [stored]


@pytest.fixture
def rig(proxy: SwallowingProxy, settings: Settings) -> Iterator[Rig]:
    """The engine at the other end of the wire."""
    engine = make_engine(proxy.url, name="tests", pool_size=5)
    handlers = load_handlers([TEST_HANDLERS, "tests.engine.operations"])
    yield Rig(engine, replace(settings, max_slice_items=5), handlers)
    engine.dispose()


@pytest.mark.parametrize("operation", ["log.one", "log.bulk", "log.outside"])
@pytest.mark.parametrize("arrives", [True, False], ids=["its answer", "the commit itself"])
def test_a_worker_that_has_lost_it_does_nothing_twice(
    rig: Rig, proxy: SwallowingProxy, operation: str, arrives: bool
) -> None:
    batch_id = rig.submit(operation, [{"uid": uid} for uid in range(12)])
    proxy.arm(FENCE, times=2, arrives=arrives)
    rig.run_out(batch_id)
    assert proxy.swallowed == 2
    assert rig.batch(batch_id).completed == 12
    assert [(row.status, row.attempts, row.crashes) for row in rig.items(batch_id)] == [
        ("SUCCESS", 1, 0)
    ] * 12
    if operation != "log.outside":
        assert sorted(uid for uids in rig.effects().values() for uid in uids) == list(range(12))


def test_a_try_whose_put_off_was_written_is_not_put_off_again(
    rig: Rig, proxy: SwallowingProxy
) -> None:
    items: list[dict[str, Any]] = [{"key": "again", "do": "retry", "seconds": 0.6}]
    items += [{"key": f"k{n}", "seconds": 0.1} for n in range(3)]
    batch_id = rig.submit("test.outside", items)
    proxy.arm(FENCE)  # after half a second: what has ended by then
    rig.run_out(batch_id)
    assert proxy.swallowed == 1
    assert [(row.status, row.attempts) for row in rig.items(batch_id)] == [
        ("SUCCESS", 2),
        *[("SUCCESS", 1)] * 3,
    ]


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO slices", "DELETE FROM slices", "stop_reason = stopping"],
    ids=["planned", "folded", "settled"],
)
def test_a_step_whose_commit_was_lost_is_not_made_twice(
    rig: Rig, proxy: SwallowingProxy, statement: str
) -> None:
    batch_id = rig.submit("log.one", [{"uid": uid} for uid in range(12)])
    proxy.arm(statement.encode())
    # The message is lost with the task that fails; the sweep finds the batch.
    with pytest.raises(Unavailable):
        rig.run_out(batch_id)
    rig.run_out(batch_id)
    assert proxy.swallowed == 1
    assert rig.batch(batch_id).completed == 12
    assert [row.attempts for row in rig.items(batch_id)] == [1] * 12
    assert sorted(uid for uids in rig.effects().values() for uid in uids) == list(range(12))
