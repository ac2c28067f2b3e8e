"""What bodies take of the disk while they arrive: bounded, a client's share, and given back."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client
from app.core.settings import Settings
from app.formats import SpoolBudget
from app.web.services import EXTENSION
from tests.api.conftest import ITEM, MASTERLIST, Answer, Caller
from tests.dialects.facts.nilo import PRODUCT
from tests.support.application import application

MIB = 1 << 20
LINE = json.dumps({**ITEM, "note": "x" * 1000}).encode() + b"\n"
QUERY = f"{MASTERLIST}&start=manual"


@pytest.fixture(scope="module")
def narrow_app(settings: Settings) -> Iterator[Flask]:
    """The application with little room on disk: 4 MiB, so 2 MiB a client."""
    with application(replace(settings, spool_bytes=4 * MIB)) as app:
        yield app


@pytest.fixture
def narrow(narrow_app: Flask, client: ClientSecret) -> Caller:
    return Caller(narrow_app, client)


@pytest.fixture
def budget(narrow_app: Flask) -> Iterator[SpoolBudget]:
    """Of which nothing is left when the test has ended."""
    found: SpoolBudget = narrow_app.extensions[EXTENSION].spools
    yield found
    assert found.held == 0


def upload(api: Caller, body: bytes, kind: str = "application/x-ndjson") -> Answer:
    headers = {"Content-Encoding": "gzip"}
    return api.submit(gzip.compress(body), query=QUERY, content_type=kind, headers=headers)


def busy(answer: Any) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.json["type"] == "urn:batchline:problem:busy"
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_bomb_is_refused_as_too_large_and_what_it_took_given_back(
    narrow: Caller, budget: SpoolBudget, rows: Any
) -> None:
    before = rows()
    assert upload(narrow, LINE * 3000).status_code == 413
    assert budget.held == 0
    array = b"[" + b",".join([LINE.strip()] * 3000) + b"]"
    assert upload(narrow, array, "application/json").status_code == 413
    assert budget.held == 0
    # Also of one that breaks off, and of one that stands twice, of which the last one counts.
    assert upload(narrow, LINE * 500 + b"{").status_code == 400
    assert budget.held == 0
    twice = b'{"items":%b,"items":%b}' % ((b"[" + b",".join([LINE.strip()] * 1500) + b"]",) * 2)
    assert upload(narrow, twice, "application/json").status_code == 202
    assert budget.held == 0
    assert rows() == (before[0] + 1, before[1] + 1500)


def test_a_client_has_half_and_the_other_half_is_for_others(
    narrow: Caller, narrow_app: Flask, budget: SpoolBudget, engine: Engine
) -> None:
    other = Caller(narrow_app, create_client(engine, f"other {uuid4()}"))
    assert narrow.client is not None
    mine = budget.share(narrow.client.client_id)
    mine.use(2 * MIB)
    busy(upload(narrow, LINE * 500))
    busy(upload(narrow, b"[" + LINE.strip() + b" " * 300_000 + b"]", "application/json"))
    assert upload(other, LINE * 1500).status_code == 202
    theirs = budget.share("third")
    theirs.use(2 * MIB - 1)
    busy(upload(other, LINE * 500))
    # What is held as a whole takes nothing of it.
    assert narrow.submit([ITEM], query=QUERY).status_code == 202
    theirs.release()
    mine.release()
    assert upload(narrow, LINE * 500).status_code == 202


def test_a_dialect_takes_of_the_same(narrow: Caller, budget: SpoolBudget) -> None:
    assert narrow.client is not None
    body = json.dumps([PRODUCT] * 100).encode() + b" " * 300_000
    headers = {"x-api-key": narrow.client.api_key, "Authorization": narrow.client.secret}

    def send() -> Answer:
        return narrow.post("/batch/product/availability", body, headers=headers)

    mine = budget.share(narrow.client.client_id)
    mine.use(2 * MIB)
    answer = send()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    mine.release()
    assert send().status_code < 300


def test_a_disk_that_is_full_is_said_to_be(
    narrow: Caller, budget: SpoolBudget, monkeypatch: pytest.MonkeyPatch, rows: Any
) -> None:
    """The kernel says ENOSPC to each write there, also when the file is closed."""
    before = rows()
    with monkeypatch.context() as patched:
        full = partial(open, "/dev/full", "w+b", 1 << 18)
        patched.setattr(tempfile, "TemporaryFile", lambda **_: full())
        busy(upload(narrow, LINE * 500))
        busy(upload(narrow, LINE))
        busy(upload(narrow, b"[" + LINE.strip() + b" " * 300_000 + b"]", "application/json"))
    assert rows() == before
    assert upload(narrow, LINE).status_code == 202


def test_unless_it_is_said_it_is_a_part_of_what_is_free() -> None:
    assert MIB <= SpoolBudget().most <= 16 << 30
