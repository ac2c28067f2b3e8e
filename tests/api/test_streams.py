"""POST /v1/batches with NDJSON and CSV: the readers themselves are tested in tests/formats."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from tests.api.conftest import ITEM, MASTERLIST, Caller
from tests.support.application import application

NDJSON = "application/x-ndjson"
CSV = "text/csv"
LINE = json.dumps(ITEM).encode() + b"\n"
HEADER = b"asin,countryCode,percACoS\n"


def send(
    caller: Caller,
    body: bytes,
    kind: str,
    query: str = f"{MASTERLIST}&start=manual",
    **headers: str,
) -> Any:
    return caller.submit(body, query=query, content_type=kind, headers=headers)


def inputs(caller: Caller, batch_id: str) -> list[Any]:
    data = caller.get(f"/v1/batches/{batch_id}/items").json["data"]
    assert [item["index"] for item in data] == list(range(len(data)))
    return [item["input"] for item in data]


def test_ndjson_is_an_item_a_line(api: Caller) -> None:
    answer = send(api, b'{"asin":"A"}\n\n  7 \r\n"x"', NDJSON)
    assert answer.status_code == 202
    assert inputs(api, answer.json["id"]) == [{"asin": "A"}, 7, "x"]


@pytest.mark.parametrize(
    "kind", ["application/ndjson", "application/jsonl", "application/jsonl; charset=utf-8"]
)
def test_ndjson_has_other_names(api: Caller, kind: str) -> None:
    answer = send(api, LINE * 2, kind)
    assert (answer.status_code, answer.json["summary"]["total"]) == (202, 2)
    path = f"/v1/batches/{answer.json['id']}/items"
    assert api.post(path, LINE, content_type=kind).json["summary"]["total"] == 3
    refused = send(api, LINE, "application/jsonl; charset=latin-1")
    assert refused.status_code == 415


def test_csv_is_an_item_a_row(api: Caller) -> None:
    body = '\ufeffasin,countryCode,percACoS\r\nA1,US,2.7\r\n"A\n2",,\r\n'.encode()
    answer = send(api, body, CSV)
    assert answer.status_code == 202
    assert inputs(api, answer.json["id"]) == [
        {"asin": "A1", "countryCode": "US", "percACoS": "2.7"},
        {"asin": "A\n2"},
    ]


@pytest.mark.parametrize(("kind", "body"), [(NDJSON, LINE * 3), (CSV, HEADER + b"a,US,1\n" * 3)])
def test_gzip_in_one_piece_or_more(api: Caller, kind: str, body: bytes) -> None:
    half = len(body) // 2
    for packed in (gzip.compress(body), gzip.compress(body[:half]) + gzip.compress(body[half:])):
        answer = send(api, packed, kind, **{"Content-Encoding": "gzip"})
        assert (answer.status_code, answer.json["summary"]["total"]) == (202, 3)


def test_the_other_fields_stand_in_the_query(api: Caller) -> None:
    query = (
        f'{MASTERLIST}&name=n%20m&metadata={{"run":7}}&maxFailures=3&dryRun=true&onInvalid=reject'
        "&scheduledAt=2099-01-01T00:00:00Z"
    )
    batch = send(api, LINE, NDJSON, query).json
    assert (batch["name"], batch["metadata"]) == ("n m", {"run": 7})
    assert (batch["status"], batch["scheduledAt"]) == ("SCHEDULED", "2099-01-01T00:00:00.000Z")
    assert batch["dryRun"] is True
    assert send(api, LINE, NDJSON, f"{MASTERLIST}&dryRun=effects").json["dryRun"] == "effects"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        (f"{MASTERLIST}&metadata=7", "/metadata"),
        (f"{MASTERLIST}&metadata={{", "/metadata"),
        (f"{MASTERLIST}&maxFailures=x", "/maxFailures"),
        (f"{MASTERLIST}&maxFailures=-1", "/maxFailures"),
        (f"{MASTERLIST}&maxFailurePercent=x", "/maxFailurePercent"),
        (f"{MASTERLIST}&maxFailurePercent=101", "/maxFailurePercent"),
        (f"{MASTERLIST}&approval=yes", "/approval"),
        (f"{MASTERLIST}&dryRun=yes", "/dryRun"),
        ("operation=demo.sleep&dryRun=effects", "/dryRun"),
        (f"{MASTERLIST}&items=1", "/items"),
        (f"{MASTERLIST}&foo=1", "/foo"),
        (f"{MASTERLIST}&{MASTERLIST}", "/operation"),
        ("operation=no.such", "/operation"),
        ("", "/items/0"),
    ],
)
def test_a_parameter_at_fault_is_named(api: Caller, rows: Any, query: str, pointer: str) -> None:
    answer = send(api, LINE, NDJSON, query)
    assert answer.status_code == 422
    assert pointer in {error["pointer"] for error in answer.json["errors"]}
    assert rows() == (0, 0)


@pytest.mark.parametrize(
    ("kind", "body", "line"),
    [
        (NDJSON, LINE * 2 + b"{oops}\n" + LINE, 3),
        (NDJSON, LINE + b'"\xff"\n', 2),
        (NDJSON, LINE + b"NaN\n", 2),
        (NDJSON, LINE + b"1 2\n", 2),
        (NDJSON, LINE + b"[" * 5000 + b"]" * 4999, 2),
        (CSV, HEADER + b"a,US,1,9\n", 2),
        (CSV, HEADER + b'a,"U\nS",1\nb,"US,1\n', 4),
        (CSV, HEADER + b"a,\xff,1\n", 2),
        (CSV, HEADER + b"a,\x00,1\n", 2),
        (CSV, HEADER + b'a,"US"x,1\n', 2),
        (CSV, b"asin;countryCode\na;US\n", 1),
        (CSV, b"asin,asin\na,b\n", 1),
        (CSV, b"asin,,x\na,b,c\n", 1),
        (CSV, b"", 1),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_kept(
    api: Caller, rows: Any, kind: str, body: bytes, line: int
) -> None:
    answer = send(api, body, kind)
    assert answer.status_code == 400
    assert answer.json["detail"].startswith(f"Line {line}: ")
    assert rows() == (0, 0)


def test_semicolons_are_explained(api: Caller) -> None:
    assert "semicolons" in send(api, b"asin;countryCode\na;US\n", CSV).json["detail"]


@pytest.mark.parametrize(("kind", "start"), [(NDJSON, b""), (CSV, HEADER)])
def test_limits_of_streams(small: Caller, rows: Any, kind: str, start: bytes) -> None:
    one = b"{}\n" if kind == NDJSON else b"a,US,1\n"
    assert send(small, start + one * 8, kind).status_code == 202
    many = send(small, start + one * 9, kind)
    assert (many.status_code, many.json["errors"][0]["pointer"]) == (413, "/items/8")
    long = b'"' + b"x" * 5000 + b'"'
    lines = b'"' + b"\n" * 5000
    for row in (long + b"\n", long) if kind == NDJSON else (long + b",,\n", long, lines + b'",,'):
        answer = send(small, start + one + row, kind)
        assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (413, "/items/1")
    blank = send(small, start + b"\n" * 9000, kind)
    assert blank.status_code == 413
    assert rows() == (1, 8)


def test_csv_makes_no_more_of_a_body_than_may_be(
    settings: Settings, client: ClientSecret, rows: Any
) -> None:
    with application(replace(settings, max_stream_bytes=2000)) as app:
        answer = send(Caller(app, client), b"n" * 200 + b"\n" + b"1\n" * 100, CSV)
        assert answer.status_code == 413
        assert answer.json["errors"][0]["pointer"] == "/items/9"
        assert rows() == (0, 0)
        assert send(Caller(app, client), b"n" * 200 + b"\n" + b"1\n" * 9, CSV).status_code == 202


def test_a_gzip_bomb_is_refused_while_it_unfolds(small: Caller, rows: Any) -> None:
    bomb = gzip.compress(b"\n" * 100_000_000)
    assert send(small, bomb, NDJSON, **{"Content-Encoding": "gzip"}).status_code == 413
    assert rows() == (0, 0)


@pytest.mark.parametrize("cut", [10, -1, -5, -9])
def test_gzip_that_is_cut_short(api: Caller, rows: Any, cut: int) -> None:
    packed = gzip.compress(LINE * 1000)
    answer = send(api, packed[:cut], NDJSON, **{"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert rows() == (0, 0)


def test_what_is_no_gzip(api: Caller) -> None:
    assert send(api, LINE, NDJSON, **{"Content-Encoding": "gzip"}).status_code == 400


def test_a_body_shorter_than_it_says(api: Caller, rows: Any) -> None:
    answer = api.submit(
        LINE,
        query=f"{MASTERLIST}&start=manual",
        content_type=NDJSON,
        environ_overrides={"CONTENT_LENGTH": "999"},
    )
    assert answer.status_code == 400
    assert "cut short" in answer.json["detail"]
    assert rows() == (0, 0)


def test_no_items_is_no_batch_that_starts(api: Caller, rows: Any) -> None:
    for kind, body in ((NDJSON, b""), (NDJSON, b"\n\n"), (CSV, HEADER)):
        answer = send(api, body, kind, MASTERLIST)
        assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/items")
    assert rows() == (0, 0)
