"""What goes on for long, an answer or a body, ends with the key that it was asked for by."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.batches import item_pages, watching
from app.clients.credentials import ClientSecret, revoke_client, rotate_client
from app.clients.keys import create_key, revoke_key
from app.clients.recent_callers import KEPT_SECONDS
from app.core.errors import Unauthenticated
from app.web import still_good as looking
from app.web.auth import authenticate
from app.web.services import EXTENSION
from app.web.still_good import still_good
from app.web.watch import batch_watch
from tests.api.conftest import ITEM, Caller
from tests.support.clock import Clock
from tests.support.stack import wait_for
from tests.support.watches import held


@pytest.fixture
def at_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is made, and asks the database."""
    monkeypatch.setattr(looking, "LOOK_EVERY", 0.0)
    monkeypatch.setattr("app.api.events.IDLE_EVERY", 0.0)
    monkeypatch.setattr("app.clients.recent_callers.KEPT_SECONDS", 0.0)


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("at_once")
def test_a_stream_of_events_ends(
    app: Flask, engine: Engine, client: ClientSecret, api: Caller
) -> None:
    key = create_key(engine, client.client_id)
    path = f"/v1/batches/{api.opened()}/events"
    following = Caller(app, key).get(path, buffered=False)
    stream = following.iter_encoded()
    assert next(stream).startswith(b"retry:")
    assert b"event: progress" in next(stream)
    revoke_key(engine, key.key_id)
    assert b"".join(stream) == b"", "and nothing more is told"
    following.close()
    assert Caller(app, key).get(path).status_code == 401
    assert api.get("/v1/me").status_code == 200


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("at_once")
def test_a_stream_looks_before_it_tells_anything(
    app: Flask,
    engine: Engine,
    client: ClientSecret,
    api: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.api.events.IDLE_EVERY", 3600.0)
    key = create_key(engine, client.client_id)
    path = f"/v1/batches/{api.opened()}"
    following = Caller(app, key).get(f"{path}/events", buffered=False)
    stream = following.iter_encoded()
    assert next(stream).startswith(b"retry:")
    assert b"event: progress" in next(stream)
    revoke_key(engine, key.key_id)
    assert api.post(f"{path}/items", [ITEM]).status_code == 200
    assert b"".join(stream) == b""
    following.close()


def test_a_process_knows_of_an_end_within_about_a_second() -> None:
    assert KEPT_SECONDS + looking.LOOK_EVERY <= 1.25


@pytest.mark.usefixtures("at_once")
def test_a_download_breaks_off(
    app: Flask,
    engine: Engine,
    client: ClientSecret,
    api: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(item_pages, "_MOST_BYTES", 80_000)
    key = create_key(engine, client.client_id)
    batch_id = api.opened([{**ITEM, "note": "x" * 8000}] * 60)
    download = Caller(app, key).get(f"/v1/batches/{batch_id}/results", buffered=False)
    pieces = download.iter_encoded()
    assert next(pieces)
    revoke_key(engine, key.key_id)
    with pytest.raises(Unauthenticated):
        list(pieces)


class Slow(io.RawIOBase):
    """A body of so many pieces; while the third is awaited `meanwhile` is called."""

    def __init__(self, piece: bytes, pieces: int, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self._pieces, self._piece, self._meanwhile = pieces, piece, meanwhile
        self.length = len(piece) * pieces
        self.read_ = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.read_ == self._pieces:
            return 0
        self.read_ += 1
        if self.read_ == 3:
            self._meanwhile()
        buffer[: len(self._piece)] = self._piece
        return len(self._piece)


LINES = b'{"asin": "A1", "countryCode": "US"}\n' * 500
JOB = {"code": "j", "jobName": "j", "domain": "Catalog"}
# What is sent slowly, as what, and a piece of it.
UPLOADS = {
    "submitted": ("/v1/batches?operation=catalog.masterlist", "application/x-ndjson", LINES),
    "appended": ("/v1/batches/{}/items", "application/x-ndjson", LINES),
    "of a dialect": ("/commerce/catalog/admin/products?batchJobCode=j", "application/json", b" "),
    "an action": ("/v1/batches/{}/cancel", "application/json", b" " * 1000),
    "a dialect's action": ("/platform/data/batchJob/actions/j", "application/json", b" " * 1000),
    "a webhook": ("/v1/webhooks", "application/json", b" " * 100),
}
# Those that take no Idempotency-Key.
NOT_KEPT = ("an action", "a dialect's action", "a webhook")


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("upload", UPLOADS)
@pytest.mark.parametrize("idempotent", [False, True])
def test_a_body_that_is_slow_to_come_breaks_off(
    app: Flask, engine: Engine, client: ClientSecret, api: Caller, rows: Any, upload: str,
    idempotent: bool,
) -> None:  # fmt: skip
    key = create_key(engine, client.client_id)
    batch_id = api.opened()
    api.post("/platform/data/batchJob", JOB)
    before = rows()
    path, kind, piece = UPLOADS[upload]
    slow = Slow(piece, 100, lambda: revoke_key(engine, key.key_id))
    answer = Caller(app, key).post(
        path.format(batch_id),
        environ_overrides={"wsgi.input": slow, "CONTENT_LENGTH": str(slow.length)},
        headers={"Idempotency-Key": "k"} if idempotent else {},
        content_type=kind,
    )
    if idempotent and upload in NOT_KEPT:
        assert answer.status_code == 400, answer.text
        return
    assert (answer.status_code, slow.read_) == (401, 3), answer.text
    assert rows() == before
    assert api.get(f"/v1/batches/{batch_id}").json["status"] == "OPEN"


@pytest.mark.usefixtures("at_once")
def test_a_wait_ends_without_the_batch(
    app: Flask, engine: Engine, client: ClientSecret, api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.batches.KEPT_SECONDS", 0.0)
    key = create_key(engine, client.client_id)
    batch_id = api.opened(name="since then")
    with app.app_context():
        watch = batch_watch()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(Caller(app, key).get, f"/v1/batches/{batch_id}?wait=60")
        streams = app.extensions[EXTENSION].streams
        wait_for(lambda: streams.count(client.client_id) == 1 and held(watch) == (1, 0))
        revoke_key(engine, key.key_id)
        assert api.post(f"/v1/batches/{batch_id}/cancel").status_code == 202
        assert waiting.result(30).status_code == 401


def test_where_nobody_was_asked_for_a_key_none_ends(app: Flask) -> None:
    with app.test_request_context("/healthz"):
        assert still_good(every=0.0)()
    assert still_good(every=0.0)()


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("at_once")
def test_a_wait_ends_at_once(
    app: Flask,
    engine: Engine,
    client: ClientSecret,
    api: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "_ASK_EVERY", 0.05)
    key = create_key(engine, client.client_id)
    batch_id = api.opened()
    with app.app_context():
        watch = batch_watch()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(Caller(app, key).get, f"/v1/batches/{batch_id}?wait=60")
        wait_for(lambda: held(watch) == (1, 0), within=30)
        revoke_key(engine, key.key_id)
        # Long before the minute has passed.
        assert answer.result(30).status_code == 401
    assert held(watch) == (0, 0)


@pytest.mark.parametrize("end", ["revoked", "its client", "rotated", "not at all"])
def test_a_look_finds_that_a_key_has_ended(
    app: Flask, engine: Engine, client: ClientSecret, end: str
) -> None:
    clock = Clock()
    key = create_key(engine, client.client_id)
    asked = client if end == "rotated" else key
    headers = {"Authorization": f"Bearer {asked.secret}"}
    with app.test_request_context("/v1/me", headers=headers):
        authenticate()
        callers = app.extensions[EXTENSION].callers
        is_good = still_good(clock=clock)
        if end == "revoked":
            revoke_key(engine, key.key_id)
        elif end == "its client":
            revoke_client(engine, client.client_id)
        elif end == "rotated":
            rotate_client(engine, client.client_id)
        callers._known.clear()
        assert is_good(), "it does not look at every call"
        clock.forward(looking.LOOK_EVERY)
        assert is_good() is (end == "not at all")
