"""Lists of items are sent as they are read: an answer may be large, what is held of it is not."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app.core.settings import Settings
from handlers.jsonbounds import refused
from tests.dialects.conftest import Finish, Hold
from tests.dialects.sending import Sender
from tests.dialects.speaking import Speaker
from tests.support.application import application as running_application

COUNT, BYTES = 240, 100_000
MOST_HELD = 16 * 1024 * 1024
# The operation of a dialect's batches, its path, and where in its answer the list is.
OPERATIONS = {
    "nilo": ("catalog.price", "/batch/{}/detail", ("detail",)),
    "quartile": ("catalog.masterlist", "/amazon/v2/batch/{}", ("data",)),
    "kibo": (
        "catalog.product.add",
        "/platform/data/batchJob/items/{}?pageSize=1000",
        ("items",),
    ),
    "gameball": ("loyalty.cashback", "/integrations/batch/{}", ("response", "results")),
}


@pytest.fixture
def native(speak: Callable[..., Speaker]) -> Speaker:
    return speak("fluent")


def ended(native: Speaker, finish: Finish, dialect: str, reference: str) -> dict[str, Any]:
    found = native.shown(f"/v1/batches?dialect={dialect}&reference={reference}")["data"][0]
    assert native.post(f"/v1/batches/{found['id']}/start", None).status_code == 202
    return finish(dialect, reference)


@pytest.mark.parametrize("dialect", OPERATIONS)
def test_a_large_answer_is_never_held(
    dialect: str, speak: Callable[..., Speaker], native: Speaker, hold: Hold, finish: Finish
) -> None:
    """Also of a batch that has more than its dialect takes: it may be from before that rule."""
    operation, path, names = OPERATIONS[dialect]
    items = [json.dumps({"number": at, "x": "y" * BYTES}) for at in range(COUNT)]
    reference = hold(dialect, operation, [*items, refused("a: Must not.")])
    ended(native, finish, dialect, reference)
    speaker = speak(dialect)
    speaker.get(path.format("none"))
    tracemalloc.start()
    try:
        answer = speaker.get(path.format(reference))
        sent = sum(map(len, answer.iter_encoded()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code in (200, 206)
    if dialect != "gameball":  # which does not show what was sent
        assert sent > COUNT * BYTES
    assert peak < MOST_HELD, f"{peak:,} bytes"
    shown = speaker.shown(path.format(reference))
    for name in names:
        shown = shown[name]
    assert len(shown) == COUNT + 1
    if dialect == "kibo":
        assert [entry["data"]["number"] for entry in shown[:-1]] == list(range(COUNT))
        assert shown[-1]["data"] is None


def test_pages_and_filters_of_a_large_job(
    speak: Callable[..., Speaker], native: Speaker, hold: Hold, finish: Finish
) -> None:
    items = [json.dumps({"number": at, "x": "y" * 30_000}) for at in range(250)]
    reference = hold("kibo", "catalog.product.add", items)
    ended(native, finish, "kibo", reference)
    kibo = speak("kibo")
    for query in ("", "&processingStatus=ValidationFailed", "&resourceType=Products"):
        for start, size in ((0, 1000), (7, 200), (249, 10), (250, 10)):
            path = f"/platform/data/batchJob/items/{reference}?startIndex={start}&pageSize={size}"
            page = kibo.shown(path + query)
            numbers = [entry["data"]["number"] for entry in page["items"]]
            # An operation of the batch's own is not an item's resource type.
            expected = [] if "resourceType" in query else list(range(250))[start : start + size]
            assert numbers == expected
            assert page["totalCount"] == (0 if "resourceType" in query else 250)


def test_jobs_far_down_the_list(speak: Callable[..., Speaker]) -> None:
    kibo = speak("kibo")
    for number in range(5):
        job = {"code": f"j{number}", "jobName": "n", "domain": "Catalog"}
        assert kibo.post("/platform/data/batchJob", job).status_code == 201
    for start, size in ((0, 2), (1, 2), (3, 9), (5, 2), (2**31 - 1, 1000)):
        page = kibo.shown(f"/platform/data/batchJob?startIndex={start}&pageSize={size}")
        expected = [f"j{number}" for number in (4, 3, 2, 1, 0)][start : start + size]
        assert ([job["code"] for job in page["items"]], page["totalCount"]) == (expected, 5)


@pytest.mark.parametrize(("dialect", "most"), [("quartile", 100), ("gameball", 1000)])
def test_a_dialects_limit_holds_natively_too(
    sender: Sender, native: Speaker, finish: Finish, most: int
) -> None:
    made = sender(sender.how.body(sender.how.items(1)))
    assert made.status_code in (200, 202)
    found = native.shown(f"/v1/batches?dialect={sender.dialect}&limit=1")["data"][0]
    finish(sender.dialect, found["reference"])
    path = f"/v1/batches/{found['id']}"
    assert native.post(f"{path}/reset", None).status_code == 202
    assert native.post(f"{path}/items", [{}] * (most - 1)).status_code == 200
    refusal = native.post(f"{path}/items", [{}] * 2)
    assert refusal.status_code == 413, refusal.data
    lines = {"Content-Type": "application/x-ndjson"}
    assert native.post(f"{path}/items", "{}\n{}\n", headers=lines).status_code == 413
    assert native.post(f"{path}/items", [{}]).status_code == 200
    assert native.shown(path)["summary"]["total"] == most


@pytest.fixture(scope="module")
def small(settings: Settings) -> Iterator[Flask]:
    """An application that takes few items."""
    with running_application(replace(settings, max_items_json=7)) as made:
        yield made


def test_the_limit_of_a_small_server_holds_natively_too(
    speak: Callable[..., Speaker], small: Flask, hold: Hold
) -> None:
    for dialect in ("nilo", "fluent"):
        operation = "catalog.price" if dialect == "nilo" else "catalog.category"
        hold(dialect, operation, ["{}"] * 5)
        native = speak("fluent", app=small)
        found = native.shown(f"/v1/batches?dialect={dialect}")["data"][0]
        path = f"/v1/batches/{found['id']}/items"
        assert native.post(path, [{}] * 3).status_code == 413
        assert native.post(path, [{}] * 2).status_code == 200
