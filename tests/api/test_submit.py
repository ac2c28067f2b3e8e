"""POST /v1/batches with JSON."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.api.conftest import ITEM, Caller
from tests.api.test_shown_fields import SHOWN

ENVELOPE: dict[str, Any] = {"operation": "catalog.masterlist", "start": "manual"}


def pointers(answer: Any) -> set[str]:
    return {error["pointer"] for error in answer.json["errors"]}


def test_an_accepted_batch_says_where_it_is(api: Caller) -> None:
    answer = api.submit({**ENVELOPE, "name": "nightly", "items": [ITEM], "metadata": {"run": 7}})
    assert answer.status_code == 202
    batch = answer.json
    assert answer.headers["Location"] == f"/v1/batches/{batch['id']}"
    assert int(answer.headers["Retry-After"]) > 0
    assert UUID(batch["id"]).version == 7
    assert batch == {
        **dict.fromkeys(SHOWN["Batch"]),
        "id": batch["id"],
        "name": "nightly",
        "operation": "catalog.masterlist",
        "status": "OPEN",
        "createdAt": batch["createdAt"],
        "progress": 0.0,
        "metadata": {"run": 7},
        "dialect": "native",
        "dryRun": False,
        "onInvalid": "partial",
        "approval": False,
        "summary": {
            "total": 1,
            "pending": 1,
            "running": 0,
            "completed": 0,
            "failed": 0,
            "invalid": 0,
            "canceled": 0,
            "processed": 0,
        },
    }
    assert batch["createdAt"].endswith("Z")
    assert api.get(answer.headers["Location"]).json == batch


def test_what_was_sent_is_kept_to_the_letter(api: Caller) -> None:
    items = '[ {"asin" :"A\\u00e9","n": 1.10, "big": 123456789012345678901234567890},"x" ,\n null]'
    body = f'{{"operation":"catalog.masterlist","start":"manual","items":{items}}}'
    batch_id = api.submit(body).json["id"]
    text = api.get(f"/v1/batches/{batch_id}/items").text
    assert '{"asin" :"A\\u00e9","n": 1.10, "big": 123456789012345678901234567890}' in text
    assert [item["input"] for item in json.loads(text)["data"]][1:] == ["x", None]


def test_numbers_in_metadata_stay_exact(api: Caller) -> None:
    body = '{"operation":"catalog.masterlist","start":"manual","metadata":{"a":0.1000,"b":[1E2]}}'
    answer = api.submit(body)
    assert '"metadata":{"a":0.1000,"b":[1E+2]}' in answer.text.replace(": ", ":")


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        ("OPEN", {"start": "manual"}),
        ("SCHEDULED", {"scheduledAt": "2099-01-01T00:00:00+02:00"}),
        ("SCHEDULED", {"scheduledAt": "2098-12-31T22:00:00z"}),
        ("OPEN", {"start": "manual", "items": []}),
    ],
)
def test_how_it_begins(api: Caller, status: str, fields: dict[str, Any]) -> None:
    body = {"operation": "catalog.masterlist", "items": [ITEM], **fields}
    answer = api.submit(body)
    assert (answer.status_code, answer.json["status"]) == (202, status)
    if status == "SCHEDULED":
        assert answer.json["scheduledAt"] == "2098-12-31T22:00:00.000Z"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"operation": "no.such"}, "/operation"),
        ({"operation": 7}, "/operation"),
        ({"operation": "a\x00"}, "/operation"),
        ({"name": "n" * 256}, "/name"),
        ({"name": 7}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"start": "later"}, "/start"),
        ({"start": None}, "/start"),
        ({"scheduledAt": "2020-01-01T00:00:00Z"}, "/scheduledAt"),
        ({"scheduledAt": "soon"}, "/scheduledAt"),
        ({"scheduledAt": "2099-01-01T00:00:00"}, "/scheduledAt"),
        ({"scheduledAt": "2099-01-01"}, "/scheduledAt"),
        ({"scheduledAt": 1}, "/scheduledAt"),
        ({"onInvalid": "ignore"}, "/onInvalid"),
        ({"maxFailures": -1}, "/maxFailures"),
        ({"maxFailures": "5"}, "/maxFailures"),
        ({"maxFailures": 1.5}, "/maxFailures"),
        ({"maxFailures": True}, "/maxFailures"),
        ({"maxFailures": 2**31}, "/maxFailures"),
        ({"maxFailurePercent": -0.1}, "/maxFailurePercent"),
        ({"maxFailurePercent": 100.1}, "/maxFailurePercent"),
        ({"maxFailurePercent": "5"}, "/maxFailurePercent"),
        ({"maxFailurePercent": True}, "/maxFailurePercent"),
        ({"minProcessed": -1}, "/minProcessed"),
        ({"minProcessed": 1.5}, "/minProcessed"),
        ({"ramp": [10]}, "/ramp"),
        ({"ramp": {}}, "/ramp/steps"),
        ({"ramp": {"steps": []}}, "/ramp/steps"),
        ({"ramp": {"steps": 10}}, "/ramp/steps"),
        ({"ramp": {"steps": [10, 0]}}, "/ramp/steps/1"),
        ({"ramp": {"steps": ["10"]}}, "/ramp/steps/0"),
        ({"ramp": {"steps": [1.5]}}, "/ramp/steps/0"),
        ({"ramp": {"steps": [True]}}, "/ramp/steps/0"),
        ({"ramp": {"steps": [2**31 - 1, 1]}}, "/ramp/steps"),
        ({"ramp": {"steps": [1] * 101}}, "/ramp/steps"),
        ({"ramp": {"steps": [1], "hold": "never"}}, "/ramp/hold"),
        ({"ramp": {"steps": [1], "hold": None}}, "/ramp/hold"),
        ({"ramp": {"steps": [1], "maxFailurePercent": 101}}, "/ramp/maxFailurePercent"),
        ({"ramp": {"steps": [1], "maxFailurePercent": "5"}}, "/ramp/maxFailurePercent"),
        ({"ramp": {"steps": [1], "other": 5}}, "/ramp/other"),
        ({"approval": "true"}, "/approval"),
        ({"approval": True, "dryRun": True}, "/approval"),
        ({"approval": True, "dryRun": "effects"}, "/approval"),
        ({"dryRun": "effects", "operation": "demo.sleep"}, "/dryRun"),
        ({"dryRun": "Effects"}, "/dryRun"),
        ({"dryRun": ["effects"]}, "/dryRun"),
        ({"dryRun": None}, "/dryRun"),
        ({"dryRun": "true"}, "/dryRun"),
        ({"dryRun": 1}, "/dryRun"),
        ({"metadata": [1]}, "/metadata"),
        ({"metadata": "x"}, "/metadata"),
        ({"metadata": {"a": "x" * 16384}}, "/metadata"),
        ({"metadata": {"a": "x" * 70000}}, "/metadata"),
        ({"items": {}}, "/items"),
        ({"items": "x"}, "/items"),
        ({"items": None}, "/items"),
        ({"itemz": []}, "/itemz"),
        ({"a/b": 1}, "/a~1b"),
    ],
)
def test_a_field_at_fault_is_named(
    api: Caller, rows: Any, fields: dict[str, Any], pointer: str
) -> None:
    answer = api.submit({**ENVELOPE, "items": [ITEM], **fields})
    assert answer.status_code == 422
    assert pointer in pointers(answer)
    assert rows() == (0, 0)


def test_every_field_at_fault_is_named_at_once(api: Caller) -> None:
    answer = api.submit({**ENVELOPE, "start": "x", "foo": 1, "bar": 2, "maxFailures": -1})
    assert pointers(answer) == {"/start", "/foo", "/bar", "/maxFailures"}


@pytest.mark.parametrize("items", [{"items": []}, {}])
@pytest.mark.parametrize("when", [{}, {"scheduledAt": "2099-01-01T00:00:00Z"}])
def test_what_is_to_start_needs_items(api: Caller, rows: Any, items: Any, when: Any) -> None:
    answer = api.submit({"operation": "catalog.masterlist", **items, **when})
    assert (answer.status_code, pointers(answer)) == (422, {"/items"})
    assert rows() == (0, 0)


def test_a_time_that_has_just_passed_is_refused(api: Caller) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    answer = api.submit({"operation": "catalog.masterlist", "items": [ITEM], "scheduledAt": past})
    assert (answer.status_code, pointers(answer)) == (422, {"/scheduledAt"})


def test_items_may_name_their_operations(api: Caller, rows: Any) -> None:
    mixed = [
        {"operation": "catalog.masterlist", "data": ITEM},
        {"operation": "catalog.price", "data": {"product": "p"}},
    ]
    batch_id = api.submit({"start": "manual", "items": mixed}).json["id"]
    items = api.get(f"/v1/batches/{batch_id}/items").json["data"]
    assert [item["operation"] for item in items] == ["catalog.masterlist", "catalog.price"]
    assert items[0]["input"] == ITEM
    answer = api.submit({"start": "manual", "items": [*mixed, ITEM]})
    assert (answer.status_code, pointers(answer)) == (422, {"/items/2"})
    assert rows()[0] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"items": [1,]}',
        b'{"items": [NaN]}',
        b'{"items": [-Infinity]}',
        b'{"items": [{"a": Infinity}]}',
        b'{"operation": "catalog.masterlist", "start": "manual", "items": ["\xff"]}',
        b'{"name": "\xff"}',
        b'{"\xff": 1}',
        b'{"items": [1]} {"items": [2]}',
        b"{'items': []}",
        b"not json",
        b"[1, 2",
        b'{"items": ' + b"[" * 50_000,
        '{"items": [1]}'.encode("utf-16"),
    ],
)
def test_what_is_no_json_is_malformed(api: Caller, rows: Any, body: bytes) -> None:
    answer = api.post("/v1/batches", body)
    assert answer.status_code == 400
    assert rows() == (0, 0)


@pytest.mark.parametrize("body", [b"7", b'"x"', b"null", b"true"])
def test_a_body_that_is_no_object_is_refused(api: Caller, body: bytes) -> None:
    assert api.post("/v1/batches", body).status_code == 422


def test_an_array_is_the_items(api: Caller) -> None:
    answer = api.submit([ITEM, ITEM], query="operation=catalog.masterlist&start=manual")
    assert (answer.status_code, answer.json["summary"]["total"]) == (202, 2)


def test_what_query_and_body_both_say_has_to_be_the_same(api: Caller) -> None:
    """Generated clients, and the page that tries the API out, send some of them in both."""
    body: dict[str, Any] = {
        "operation": "catalog.masterlist",
        "start": "manual",
        "metadata": {"a": [1]},
    }
    query = 'operation=catalog.masterlist&start=manual&metadata={"a":[1]}'
    answer = api.submit(body, query=query)
    assert (answer.status_code, answer.json["metadata"]) == (202, {"a": [1]})
    body |= {"maxFailures": 3, "dryRun": True}
    assert api.submit(body, query=f"{query}&maxFailures=3&dryRun=true").status_code == 202
    for other in ("maxFailures=4", "dryRun=false", "metadata={}", "start=now"):
        answer = api.submit(body, query=other)
        assert (answer.status_code, pointers(answer)) == (422, {f"/{other.partition('=')[0]}"})


def test_fields_may_stand_in_the_query(api: Caller) -> None:
    body = {"operation": "catalog.masterlist", "items": [ITEM]}
    assert api.submit(body, query="start=manual&name=n").json["name"] == "n"
    answer = api.submit(body, query="operation=catalog.price")
    assert (answer.status_code, pointers(answer)) == (422, {"/operation"})
    assert api.submit(body, query="start=manual&nome=n").status_code == 422


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (None, 415),
        ("text/plain", 415),
        ("application/xml", 415),
        ("application/json; charset=latin-1", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/json; charset=UTF-8", 202),
        ("Application/JSON", 202),
    ],
)
def test_only_some_types_are_taken(api: Caller, kind: str | None, status: int) -> None:
    body = json.dumps({**ENVELOPE, "items": [ITEM]})
    assert api.post("/v1/batches", body, content_type=kind).status_code == status


def test_gzip_is_taken_and_other_encodings_are_not(api: Caller) -> None:
    body = gzip.compress(json.dumps({**ENVELOPE, "items": [ITEM]}).encode())
    for encoding, status in (("gzip", 202), ("br", 415), ("gzip, gzip", 415), ("identity", 400)):
        answer = api.post("/v1/batches", body, headers={"Content-Encoding": encoding})
        assert answer.status_code == status, encoding


def test_limits_name_the_item(small: Caller, rows: Any) -> None:
    many = small.submit({**ENVELOPE, "items": [ITEM] * 6})
    assert (many.status_code, pointers(many)) == (413, {"/items/5"})
    large = small.submit({**ENVELOPE, "items": [ITEM, {"asin": "x" * 300}]})
    assert (large.status_code, pointers(large)) == (413, {"/items/1"})
    assert rows() == (0, 0)
    assert small.submit({**ENVELOPE, "items": [ITEM] * 5}).status_code == 202


def test_a_body_that_is_too_large_is_refused_plain_or_not(small: Caller, rows: Any) -> None:
    body = json.dumps({**ENVELOPE, "name": " " * 5000}).encode()
    assert small.post("/v1/batches", body).status_code == 413
    bomb = gzip.compress(b'{"items": [' + b" " * 50_000_000 + b"]}")
    headers = {"Content-Encoding": "gzip"}
    assert small.post("/v1/batches", bomb, headers=headers).status_code == 413
    assert rows() == (0, 0)


def test_many_tiny_values_are_counted_before_they_are_made(api: Caller) -> None:
    answer = api.submit(b'{"items":[' + b"1," * 8_000_000 + b"1]}")
    assert (answer.status_code, pointers(answer)) == (413, {"/items/100000"})
    nested = api.submit(b'{"items":[7,[' + b"1," * 8_000_000 + b"1]]}")
    assert (nested.status_code, pointers(nested)) == (413, {"/items/1"})
    strings = api.submit(b'{"items":[' + b'"],[{\\"",' * 1_000_000 + b"1]}")
    assert (strings.status_code, pointers(strings)) == (413, {"/items/100000"})
