"""Idempotency-Key: sent again, answered again, carried out once."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret, create_client
from app.clients.idempotency_keys import Claim, forget_expired
from app.core.errors import KeyInFlight
from app.db.statements.idempotency_keys import CLAIM_SECONDS
from app.server import bounds
from tests.api.conftest import ITEM, MASTERLIST, Caller

NDJSON = "application/x-ndjson"
BODY: dict[str, Any] = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM]}
KEY = {"Idempotency-Key": "feed-7"}


@pytest.fixture
def backdate(engine: Engine, client: ClientSecret) -> Any:
    """Make the client's keys older."""

    def move(interval: str) -> None:
        with engine.begin() as connection:
            connection.execute(
                text(
                    """UPDATE idempotency_keys SET created_at = created_at - CAST(:by AS interval)
                    WHERE client_id = :client"""
                ),
                {"by": interval, "client": client.client_id},
            )

    return move


def test_the_first_answer_is_given_again(api: Caller, rows: Any) -> None:
    first = api.submit(BODY, headers=KEY)
    again = api.submit(BODY, headers=KEY)
    assert (first.status_code, again.status_code) == (202, 202)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.data == first.data
    for name in ("Location", "Content-Type", "Retry-After", "ETag"):
        assert again.headers[name] == first.headers[name]
    assert rows() == (1, 1)


def test_another_key_or_client_is_another_request(
    app: Flask, api: Caller, rows: Any, engine: Engine
) -> None:
    api.submit(BODY, headers=KEY)
    assert api.submit(BODY, headers={"Idempotency-Key": "other"}).status_code == 202
    assert rows() == (2, 2)
    other = Caller(app, create_client(engine, f"other {uuid4()}"))
    assert "Idempotent-Replayed" not in other.submit(BODY, headers=KEY).headers


def test_the_same_key_with_another_request_is_refused(api: Caller, rows: Any) -> None:
    line = b'{"asin":"A"}\n'
    query = f"{MASTERLIST}&start=manual"
    assert api.submit(line, query=query, content_type=NDJSON, headers=KEY).status_code == 202
    batch_id = api.opened()
    others = [
        (f"/v1/batches?{query}", line + b"\n", NDJSON),
        (f"/v1/batches?{query}", b"", NDJSON),
        (f"/v1/batches?{query}&name=x", line, NDJSON),
        (f"/v1/batches?{query}", line, "text/csv"),
        (f"/v1/batches?{query}", line, "application/json"),
        (f"/v1/batches/{batch_id}/items", line, NDJSON),
    ]
    for path, body, kind in others:
        answer = api.post(path, body, content_type=kind, headers=KEY)
        assert answer.status_code == 422, (path, kind)
    assert rows() == (2, 1)


def test_what_was_refused_is_not_remembered(api: Caller) -> None:
    assert api.submit({**BODY, "start": "x"}, headers=KEY).status_code == 422
    assert api.submit(b"{", headers=KEY).status_code == 400
    answer = api.submit(BODY, headers=KEY)
    assert answer.status_code == 202
    assert "Idempotent-Replayed" not in answer.headers


@pytest.mark.parametrize("key", ["", "k" * 256, "\xe9", "a\tb"])
def test_a_key_that_is_none(api: Caller, rows: Any, key: str) -> None:
    assert api.submit(BODY, headers={"Idempotency-Key": key}).status_code == 400
    assert rows() == (0, 0)


def test_many_at_once_make_one_batch(app: Flask, client: ClientSecret, rows: Any) -> None:
    barrier = threading.Barrier(8)

    def send(_: int) -> int:
        barrier.wait()
        return Caller(app, client).submit(BODY, headers=KEY).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(send, range(8)))
    assert set(statuses) <= {202, 409}
    assert 202 in statuses
    assert rows() == (1, 1)


class SlowBody(io.RawIOBase):
    """A body whose second part comes only when it is let."""

    def __init__(self, first: bytes, second: bytes) -> None:
        self._parts = [first, second]
        self.length = len(first) + len(second)
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._parts:
            return 0
        if len(self._parts) == 1:
            self.begun.set()
            assert self.go_on.wait(20)
        part = self._parts.pop(0)
        buffer[: len(part)] = part
        return len(part)


@pytest.fixture
def slow(app: Flask, client: ClientSecret) -> Iterator[Any]:
    """A request whose body is still arriving, and its answer when it has been let go on."""
    body = SlowBody(b'{"asin":"A"}\n', b'{"asin":"B"}\n')

    def send() -> Any:
        return Caller(app, client).send(
            "POST",
            f"/v1/batches?{MASTERLIST}&start=manual",
            content_type=NDJSON,
            headers=KEY,
            environ_overrides={
                "wsgi.input": body,
                "wsgi.input_terminated": True,
                "CONTENT_LENGTH": str(body.length),
            },
        )

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(send)
        assert body.begun.wait(20)

        def finish() -> Any:
            body.go_on.set()
            return answer.result(20)

        try:
            yield finish
        finally:
            body.go_on.set()


def test_while_the_first_is_in_flight_the_second_is_refused(
    api: Caller, slow: Any, rows: Any
) -> None:
    answer = api.submit(BODY, headers=KEY)
    assert answer.status_code == 409
    assert int(answer.headers["Retry-After"]) > 0
    assert slow().status_code == 202
    assert rows() == (1, 2)


def test_a_body_on_its_way_holds_no_transaction(slow: Any, engine: Engine) -> None:
    with engine.connect() as connection:
        held = connection.execute(
            text(
                """SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'batchline-web'
                  AND state <> 'idle'"""
            )
        ).scalar_one()
    assert held == 0
    assert slow().status_code == 202


def test_one_that_lost_its_claim_leaves_nothing(
    api: Caller, slow: Any, rows: Any, backdate: Any
) -> None:
    backdate("121 seconds")
    assert api.submit(BODY, headers=KEY).status_code == 202
    assert slow().status_code == 409
    assert rows() == (1, 1)
    assert api.submit(BODY, headers=KEY).headers["Idempotent-Replayed"] == "true"


def test_a_claim_that_a_crash_left_expires(
    api: Caller, engine: Engine, client: ClientSecret, backdate: Any
) -> None:
    assert Claim(engine, client.client_id, "feed-7").take() is None  # and the process dies
    assert api.submit(BODY, headers=KEY).status_code == 409
    backdate("121 seconds")
    assert api.submit(BODY, headers=KEY).status_code == 202


def test_who_says_to_be_at_work_keeps_the_claim(
    engine: Engine, client: ClientSecret, backdate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Claim(engine, client.client_id, "feed-7")
    claim.take()
    backdate("121 seconds")
    monkeypatch.setattr("app.clients.idempotency_keys._TOUCH_EVERY", 0)
    claim.touch()
    with pytest.raises(KeyInFlight):
        Claim(engine, client.client_id, "feed-7").take()


def test_after_a_day_it_is_a_new_request(
    api: Caller, engine: Engine, rows: Any, backdate: Any
) -> None:
    api.submit(BODY, headers=KEY)
    backdate("23 hours 59 minutes")
    assert api.submit(BODY, headers=KEY).headers["Idempotent-Replayed"] == "true"
    backdate("2 minutes")
    with engine.begin() as connection:
        connection.execute(text("SAVEPOINT before"))
        assert forget_expired(connection) >= 1
        connection.execute(text("ROLLBACK TO before"))
    assert "Idempotent-Replayed" not in api.submit(BODY, headers=KEY).headers
    assert rows() == (2, 2)


def test_an_append_is_made_once(api: Caller) -> None:
    batch_id = api.opened([ITEM])
    for replayed in (None, "true"):
        answer = api.post(f"/v1/batches/{batch_id}/items", [ITEM, ITEM], headers=KEY)
        assert answer.status_code == 200
        assert answer.headers.get("Idempotent-Replayed") == replayed
        assert answer.json["summary"]["total"] == 3
    assert api.get(f"/v1/batches/{batch_id}").json["summary"]["total"] == 3


def test_a_claim_outlasts_what_its_request_may_have_to_wait_for() -> None:
    """While it waits nobody tells that it is under way: another with its key would take it."""
    assert CLAIM_SECONDS > bounds.LINE_SECONDS + bounds.STORING_SECONDS
    assert CLAIM_SECONDS > bounds.LEAST_WITHIN + bounds.STORING_SECONDS
