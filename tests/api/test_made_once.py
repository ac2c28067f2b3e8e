"""What does not change is made once, and what is dear is made once in a while."""

from __future__ import annotations

import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from app.web.copies import Copy
from app.web.openapi import api_of
from tests.api.conftest import Caller

ASSET = "/docs/assets/swagger-ui-bundle.js"


def test_the_document_is_made_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = Caller(app, None)
    first = caller.get("/openapi.json")

    def again() -> dict[str, Any]:
        raise AssertionError("it is made again")

    monkeypatch.setattr(api_of(app).spec, "to_dict", again)
    assert caller.get("/openapi.json").data == first.data


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/start.js", ASSET])
def test_it_is_sent_packed_and_not_twice(app: Flask, path: str) -> None:
    caller = Caller(app, None)
    plain = caller.get(path)
    packed = caller.get(path, headers={"Accept-Encoding": "gzip, br"})
    assert plain.status_code == packed.status_code == 200
    if packed.headers.get("Content-Encoding") == "gzip":
        assert gzip.decompress(packed.data) == plain.data
        assert packed.headers["ETag"] != plain.headers["ETag"]
    else:
        assert packed.data == plain.data
        assert len(plain.data) < 1024
    for seen in (plain, packed):
        again = caller.get(path, headers={"If-None-Match": seen.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
    other = caller.get(path, headers={"If-None-Match": '"another"'})
    assert other.status_code == 200


def test_only_files_that_are_meant_are_sent(app: Flask) -> None:
    for name in ("package.json", "index.html", "..%2f__init__.py", "none"):
        assert Caller(app, None).get(f"/docs/assets/{name}").status_code == 404


def test_operations_are_described_once(api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    before = api.get("/v1/operations").json

    def again(_: object) -> dict[str, Any]:
        raise AssertionError("it is described again")

    monkeypatch.setattr("app.operations.listing.describe", again)
    after = api.get("/v1/operations").json
    assert [one["schema"] for one in after["data"]] == [one["schema"] for one in before["data"]]


def test_metrics_are_made_once_for_many(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = iter(range(1000))
    monkeypatch.setattr("app.api.metrics.expose", lambda *_, **__: b"made %d\n" % next(pages))
    monkeypatch.setitem(app.extensions, "batchline.metrics", Copy(60))
    with ThreadPoolExecutor(16) as pool:
        seen = set(pool.map(lambda _: Caller(app, None).get("/metrics").data, range(64)))
    assert seen == {b"made 0\n"}


def test_a_copy_is_made_by_one_while_others_take_the_one_before() -> None:
    now = [0.0]
    copy: Copy[int] = Copy(1.0, too_old=5.0, clock=lambda: now[0])
    assert copy.get(lambda: 1) == 1
    assert copy.get(lambda: 2) == 1, "it is fresh"
    now[0] = 1.5
    begun, may_end = threading.Event(), threading.Event()

    def slowly() -> int:
        begun.set()
        assert may_end.wait(10)
        return 3

    with ThreadPoolExecutor(2) as pool:
        making = pool.submit(copy.get, slowly)
        assert begun.wait(10)
        assert copy.get(lambda: 4) == 1, "another makes it"
        now[0] = 7.0
        waiting = pool.submit(copy.get, lambda: 5)
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        may_end.set()
        assert making.result(10) == 3
        # It was begun at 1.5, so that it was old when it was there.
        assert waiting.result(10) == 5


def test_what_cannot_be_made_is_tried_again() -> None:
    copy: Copy[int] = Copy(1.0)
    with pytest.raises(ZeroDivisionError):
        copy.get(lambda: 1 // 0)
    assert copy.get(lambda: 1) == 1


def test_what_no_browser_and_no_cache_may_make_of_an_answer(api: Caller, app: Flask) -> None:
    answers = [
        api.get("/v1/limits"),
        api.get("/v1/nothing"),
        Caller(app, None).get("/v1/limits"),
        Caller(app, None).get("/docs"),
        api.post("/v1/batches", json.dumps({"oops": 1})),
    ]
    assert [each.headers["X-Content-Type-Options"] for each in answers] == ["nosniff"] * 5
    body = json.dumps({"url": "https://example.com/hook", "events": ["batch.finished"]})
    made = api.post("/v1/webhooks", body, content_type="application/json")
    assert made.status_code == 201
    assert "secret" in made.json
    assert made.headers["Cache-Control"] == "no-store"
