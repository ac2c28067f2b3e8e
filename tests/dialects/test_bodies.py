"""What a dialect refuses: 400 in its own shape of error, and nothing is kept."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select
from werkzeug.test import TestResponse

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from app.db.models import Batch, IdempotencyKey, Item
from app.dialects.fluent.tables import FluentJob
from app.server.wsgi import create_app
from tests.dialects.calls import (
    CASHBACK,
    CATALOG_CALLS,
    CATEGORY,
    ENTRY,
    FLUENT,
    GAMEBALL,
    JOB,
    MASTERLIST,
    PRODUCT,
)
from tests.dialects.speaking import CATALOG, JOBS, Speaker

MOST, MOST_BYTES, MOST_BODY = 7, 500, 10_000


class Submitting:
    """A call that takes items: `body(items)` is what it wants, `most` its limit."""

    def __init__(
        self,
        dialect: str,
        path: str,
        item: dict[str, Any],
        *,
        most: int = MOST,
        method: str = "POST",
        wrap: Callable[[list[Any]], Any] = lambda items: items,
    ) -> None:
        self.dialect, self.path, self.item, self.most = dialect, path, item, most
        self.method, self.body = method, wrap

    def __str__(self) -> str:
        return self.path

    def items(self, count: int) -> list[dict[str, Any]]:
        """So many items."""
        return [dict(self.item) for _ in range(count)]


SUBMITTING = [
    Submitting("nilo", "/batch/product/availability", PRODUCT),
    Submitting("quartile", "/amazon/v2/process/masterlist", MASTERLIST, most=100, method="PATCH"),
    Submitting(
        "gameball",
        "/integrations/batch",
        CASHBACK,
        most=1000,
        wrap=lambda items: {**GAMEBALL, "body": items},
    ),
    Submitting(
        "fluent", "/api/v4.1/job/{job}/batch", CATEGORY, wrap=lambda it: {**FLUENT, "entities": it}
    ),
    Submitting("kibo", f"{CATALOG}/pricelists/bulkaddentries?batchJobCode={JOB['code']}", ENTRY),
]
every = pytest.mark.parametrize("how", SUBMITTING, ids=str)


@pytest.fixture(scope="module")
def small(settings: Settings) -> Flask:
    """An application that takes few and small items."""
    return create_app(replace(settings, max_items_json=MOST, max_item_bytes=MOST_BYTES))


@pytest.fixture(scope="module")
def narrow(settings: Settings) -> Flask:
    """An application that takes small bodies."""
    return create_app(replace(settings, max_body_bytes=MOST_BODY))


@pytest.fixture
def kept(engine: Engine, client: ClientSecret) -> Callable[[], tuple[int, int]]:
    """How many batches and items the client has."""

    def kept() -> tuple[int, int]:
        with engine.connect() as connection:
            batches = connection.execute(
                select(func.count()).where(Batch.client_id == client.client_id)
            ).scalar_one()
            items = connection.execute(
                select(func.count())
                .select_from(Item)
                .join(Batch, Batch.id == Item.batch_id)
                .where(Batch.client_id == client.client_id)
            ).scalar_one()
        return batches, items

    return kept


class Sender:
    """Sends bodies to one submitting call, with all that it needs in place."""

    def __init__(self, how: Submitting, speaker: Speaker) -> None:
        self.how, self.speaker = how, speaker
        self.path = how.path
        if how.dialect == "fluent":
            job = speaker.post("/api/v4.1/job", {"name": "job"}).json
            assert job is not None
            self.path = how.path.format(job=job["id"])
        if how.dialect == "kibo":
            assert speaker.post(JOBS, JOB).status_code == 201

    def __call__(self, body: Any, **options: Any) -> TestResponse:
        return self.speaker(self.how.method, self.path, body, **options)


@pytest.fixture
def sender(how: Submitting, speak: Callable[..., Speaker], application: Flask) -> Sender:
    """To the application with its usual limits."""
    return Sender(how, speak(how.dialect, app=application))


@pytest.fixture
def small_sender(how: Submitting, speak: Callable[..., Speaker], small: Flask) -> Sender:
    """To the application that takes few and small items."""
    return Sender(how, speak(how.dialect, app=small))


@pytest.fixture
def narrow_sender(how: Submitting, speak: Callable[..., Speaker], narrow: Flask) -> Sender:
    """To the application that takes small bodies."""
    return Sender(how, speak(how.dialect, app=narrow))


def refused(response: TestResponse, status: int = 400) -> str:
    """Assert that it was; what it said."""
    assert response.status_code == status, response.data
    assert response.json is not None
    if response.request.path.startswith("/api/v4.1"):
        ((error),) = response.json["error"]
        assert set(error) == {"message", "code"}
        assert error["code"] == str(status)
        return str(error["message"])
    assert response.content_type == "application/problem+json"
    assert response.json["status"] == status
    assert {"type", "title", "status", "detail"} <= set(response.json)
    return str(response.json["detail"])


BROKEN: list[bytes] = [
    b"",
    b" ",
    b"{",
    b"[",
    b'[{"a": 1}',
    b'[{"a": 1},]',
    b"[{'a': 1}]",
    b'[{"a": NaN}]',
    b'[{"a": Infinity}]',
    b'[{"a": 01}]',
    b'[{"a": "\xff"}]',
    b'[{"a": "\\ud800"}]',
    b'[{"a": "\x01"}]',
    b'[{"a": 1}] and more',
    b"\xef\xbb\xbf[{}]",
    b"plain text",
    b"asin,countryCode\nA,US\n",
    b"[" * 5000 + b"]" * 5000,
]
OTHER_TYPES: list[Any] = ["null", "true", "7", '"text"']


@every
@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:20]))
def test_what_is_no_json(sender: Sender, kept: Any, body: bytes) -> None:
    before = kept()
    refused(sender(body))
    if sender.how.dialect in ("gameball", "fluent"):
        name = b"body" if sender.how.dialect == "gameball" else b"entities"
        whole = json.dumps(sender.how.body([])).encode()
        refused(sender(whole.replace(b'"%s": []' % name, b'"%s": %s' % (name, body))))
    assert kept() == before


@every
def test_other_types(sender: Sender, kept: Any) -> None:
    before = kept()
    for body in OTHER_TYPES:
        refused(sender(body))
    wrong = {"a": 1} if isinstance(sender.how.body([]), list) else [sender.how.item]
    refused(sender(wrong))
    assert kept() == before


@every
def test_no_items(sender: Sender, kept: Any) -> None:
    before = kept()
    assert "Must not be empty" in refused(sender(sender.how.body([])))
    assert kept() == before


@every
@pytest.mark.parametrize("entry", [None, 1, "text", True, [], [{"a": 1}]], ids=repr)
def test_an_entry_that_is_no_object(sender: Sender, kept: Any, entry: Any) -> None:
    before = kept()
    how = sender.how
    said = refused(sender(how.body([*how.items(2), entry, *how.items(1)])))
    assert "2: Must be an object" in said
    assert kept() == before


@every
def test_the_limit_and_one_over(small_sender: Sender, kept: Any) -> None:
    how = small_sender.how
    batches, _ = kept()
    over = refused(small_sender(how.body(how.items(how.most + 1))))
    assert f"at most {how.most} entries, not {how.most + 1}" in over
    assert kept() == (batches, 0)
    at_it = small_sender(how.body(how.items(how.most)))
    assert at_it.status_code in (200, 202), at_it.data
    assert kept() == (batches or 1, how.most)


@every
def test_an_item_of_the_largest_size_and_one_byte_over(small_sender: Sender, kept: Any) -> None:
    how = small_sender.how
    room = MOST_BYTES - len('{"a": ""}')
    text = '{"a": "%s"}'
    whole = json.dumps(how.body([{"here": 1}]))
    here = json.dumps({"here": 1})
    before = kept()
    said = refused(small_sender(whole.replace(here, text % ("x" * (room + 1)))))
    assert f"at most {MOST_BYTES} bytes" in said
    assert kept() == before
    taken = small_sender(whole.replace(here, text % ("x" * room)))
    assert taken.status_code in (200, 202), taken.data


@every
def test_a_body_that_is_too_large(narrow_sender: Sender, kept: Any) -> None:
    before = kept()
    body = json.dumps(narrow_sender.how.body([{"a": "x" * MOST_BODY}]))
    assert f"larger than {MOST_BODY} bytes" in refused(narrow_sender(body))
    bomb = gzip.compress(body.encode())
    said = refused(narrow_sender(bomb, headers={"Content-Encoding": "gzip"}))
    assert f"larger than {MOST_BODY} bytes" in said
    assert kept() == before


@every
def test_a_gzipped_body_is_taken(sender: Sender) -> None:
    how = sender.how
    body = gzip.compress(json.dumps(how.body(how.items(1))).encode())
    assert sender(body, headers={"Content-Encoding": "gzip"}).status_code in (200, 202)
    refused(sender(body[:-9], headers={"Content-Encoding": "gzip"}))
    refused(sender(b"plain", headers={"Content-Encoding": "gzip"}))
    refused(sender(body, headers={"Content-Encoding": "br"}))


@every
def test_the_content_type_does_not_matter(sender: Sender) -> None:
    """None of the documents asks for one, and clients forget it."""
    how = sender.how
    for content_type in ("application/json; charset=utf-8", "text/plain", "", "application/xml"):
        response = sender(how.body(how.items(1)), headers={"Content-Type": content_type})
        assert response.status_code in (200, 202), response.data


@every
def test_an_idempotency_key_is_honoured(sender: Sender, kept: Any, engine: Engine) -> None:
    how = sender.how
    key = {"Idempotency-Key": "one"}
    first = sender(how.body(how.items(2)), headers=key)
    after = kept()
    again = sender(how.body(how.items(2)), headers=key)
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    refused(sender(how.body(how.items(1)), headers=key))
    assert kept() == after
    refused(sender(how.body([]), headers={"Idempotency-Key": "two"}))
    assert sender(how.body(how.items(1)), headers={"Idempotency-Key": "two"}).status_code < 300
    with engine.connect() as connection:
        keys = connection.execute(
            select(IdempotencyKey.key).where(
                IdempotencyKey.client_id == sender.speaker.client.client_id
            )
        ).scalars()
        assert set(keys) == {"one", "two"}


ENVELOPES: list[tuple[str, str, dict[str, Any], dict[str, list[Any]]]] = [
    (
        "gameball",
        "/integrations/batch",
        GAMEBALL,
        {
            "method": [None, "DELETE", "post", 1, ""],
            "operation": [None, "loyalty.cashback", "transfer", 1],
            "params": ["1", True, 2.5, [], {"a": "x" * 20_000}],
            "body": [None, {}, "text", 1],
        },
    ),
    (
        "fluent",
        "/api/v4.1/job/{job}/batch",
        FLUENT,
        {
            "action": [None, "INSERT", "upsert", 1],
            "entityType": [None, "PRODUCT", "category"],
            "entities": [None, {}, "text"],
        },
    ),
    ("fluent", "/api/v4.1/job", {"name": "job"}, {"name": [None, "", 7, "x" * 256, "a\x00"]}),
    (
        "kibo",
        JOBS,
        JOB,
        {
            "code": [None, "", "a/b", ".", "..", "a\x00b", "x" * 201, True, []],
            "jobName": [None, "", 7, "x" * 256],
            "domain": [None, "Orders", "catalog"],
            "status": ["Pending", "Completed", "Canceled", "ready", 1],
            "scheduledDate": ["tomorrow", 7, "2020-01-01T00:00:00Z"],
        },
    ),
    (
        "kibo",
        f"{JOBS}/actions/{JOB['code']}",
        {"action": "start"},
        {"action": [None, "pause", "Start", 1]},
    ),
]


@pytest.fixture
def envelope_path(speak: Callable[..., Speaker]) -> Iterator[Callable[[str, str], str]]:
    """Fill a path's job in."""

    def fill(dialect: str, path: str) -> str:
        if "{job}" not in path:
            return path
        job = speak(dialect).post("/api/v4.1/job", {"name": "job"}).json
        assert job is not None
        return path.format(job=job["id"])

    return fill


@pytest.mark.parametrize(
    ("dialect", "path", "good", "wrong"), ENVELOPES, ids=lambda value: str(value)[:30]
)
def test_envelopes(
    speak: Callable[..., Speaker],
    envelope_path: Callable[[str, str], str],
    kept: Any,
    dialect: str,
    path: str,
    good: dict[str, Any],
    wrong: dict[str, list[Any]],
) -> None:
    """Each field missing, wrong, and one too many; what is wrong is named."""
    speaker, path = speak(dialect), envelope_path(dialect, path)
    optional = {"params", "status", "scheduledDate"}
    before = kept()
    for name, values in wrong.items():
        for value in values:
            said = refused(speaker.post(path, {**good, name: value}))
            assert name in said, said
        if name not in optional:
            without = {other: value for other, value in good.items() if other != name}
            assert name in refused(speaker.post(path, without))
    assert "surplus" in refused(speaker.post(path, {**good, "surplus": 1}))
    assert kept() == before


def test_optional_fields_may_be_null(speak: Callable[..., Speaker]) -> None:
    assert speak("gameball").post("/integrations/batch", {**GAMEBALL, "params": None}).json
    job = {"code": "nulls", "name": "by its other name", "domain": "Catalog", "status": None}
    assert speak("kibo").post(JOBS, job).status_code == 201


@pytest.mark.parametrize("call", CATALOG_CALLS, ids=str)
def test_catalog_bodies(speak: Callable[..., Speaker], kept: Any, call: Any) -> None:
    kibo = speak("kibo")
    assert kibo.post(JOBS, JOB).status_code == 201
    path = f"{call.path}?batchJobCode={JOB['code']}"
    if call.body is not None:
        wrong: list[Any] = ["{", "[1]", "7", ""]
        wrong += [[], {}] if isinstance(call.body, list) else [[{}]]
        for body in wrong:
            refused(kibo(call.method, path, body))
    refused(kibo(call.method, call.path, call.body))
    assert kept() == (1, 0)


def test_the_codes_of_a_path_and_of_a_body_have_to_agree(speak: Callable[..., Speaker]) -> None:
    kibo = speak("kibo")
    assert kibo.post(JOBS, JOB).status_code == 201
    by = f"?batchJobCode={JOB['code']}"
    for body in ({"productCode": "Q"}, {"productCode": None}, {"productCode": ["P"]}):
        assert "productCode" in refused(kibo("PUT", f"{CATALOG}/products/P{by}", body))
    for path, body in (
        ("products/P", {"productCode": "P"}),
        ("products/17", {"productCode": 17}),
        ("pricelists/L/entries/P/EUR", {"currencyCode": "EUR", "priceListCode": "L"}),
    ):
        assert kibo("PUT", f"{CATALOG}/{path}{by}", body).status_code == 202


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("nilo", "/batch"),
        ("nilo", "/batch/product/price"),
        ("nilo", "/batch/unknown/update"),
        ("quartile", "/amazon/v2/process/other"),
        ("quartile", "/amazon/v1/process/masterlist"),
        ("gameball", "/integrations"),
        ("gameball", "/integrations/batches"),
        ("kibo", "/platform/data/other"),
        ("kibo", "/commerce/catalog/admin/categories"),
        ("fluent", "/api/v4.1"),
        ("fluent", "/api/v4.1/jobs"),
    ],
)
def test_paths_that_are_not_there(
    speak: Callable[..., Speaker], application: Flask, dialect: str, path: str
) -> None:
    for method in ("GET", "POST", "PATCH"):
        refused(speak(dialect)(method, path, {}), 404)
        refused(application.test_client().open(path, method=method), 404)


@pytest.mark.parametrize(
    ("dialect", "method", "path", "allowed"),
    [
        ("nilo", "GET", "/batch/product/availability", "POST"),
        ("nilo", "POST", "/batch/x/status", "GET"),
        ("quartile", "POST", "/amazon/v2/process/masterlist", "PATCH"),
        ("gameball", "PUT", "/integrations/batch", "POST"),
        ("kibo", "PATCH", JOBS, "POST"),
        ("kibo", "GET", f"{CATALOG}/products/P", "PUT"),
        ("fluent", "DELETE", "/api/v4.1/job/1/batch/1", "GET"),
    ],
)
def test_methods_that_are_not_there(
    speak: Callable[..., Speaker], dialect: str, method: str, path: str, allowed: str
) -> None:
    response = speak(dialect)(method, path)
    refused(response, 405)
    assert allowed in response.headers["Allow"]


def test_jobs_that_are_refused_leave_nothing(
    speak: Callable[..., Speaker], engine: Engine, client: ClientSecret
) -> None:
    refused(speak("fluent").post("/api/v4.1/job", {"name": ""}))
    with engine.connect() as connection:
        jobs = select(func.count()).where(FluentJob.client_id == client.client_id)
        assert connection.execute(jobs).scalar_one() == 0
