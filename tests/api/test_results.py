"""Taking a batch's results away: whole, exact, restartable, and fit to be submitted again."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine

from app.batches import item_pages as exporting
from app.batches.export import _guard
from app.clients.credentials import ClientSecret, create_client
from tests.support.stack import Stack

NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def owner(engine: Engine) -> ClientSecret:
    return create_client(engine, f"results {uuid4()}")


@pytest.fixture(scope="module")
def http(stack: Stack, owner: ClientSecret) -> Iterator[httpx.Client]:
    with stack.http(owner) as http:
        yield http


def ended(stack: Stack, http: httpx.Client, **request: Any) -> dict[str, Any]:
    answer = http.post("/v1/batches", **request)
    assert answer.status_code == 202, answer.text
    return stack.finished(http, answer.json()["id"])


@pytest.fixture(scope="module")
def batch(stack: Stack, http: httpx.Client) -> dict[str, Any]:
    """Items that end in every way; two with line breaks in their JSON, as they may be sent."""
    items = [{"do": "succeed", "key": f"k{number}", "payload": number} for number in range(250)]
    items[7] = {"do": "reject", "key": "k7"}
    items[50] = {"do": "=1+1", "key": "=cmd()"}
    items[99] = {"do": 5, "key": "k99"}
    items[249] = {"do": "reject", "key": "line\nbreak"}
    body = {"operation": "test.bulk", "items": items}
    content = json.dumps(body, indent=1).replace("\n", "\r\n")
    return ended(stack, http, content=content, headers={"Content-Type": "application/json"})


def results(http: httpx.Client, batch: dict[str, Any], **query: Any) -> httpx.Response:
    return http.get(f"/v1/batches/{batch['id']}/results", params=query).raise_for_status()


def lines(answer: httpx.Response) -> list[Any]:
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def all_items(http: httpx.Client, batch: dict[str, Any]) -> list[dict[str, Any]]:
    page = http.get(f"/v1/batches/{batch['id']}/items", params={"limit": 1000}).json()
    found: list[dict[str, Any]] = page["data"]
    return found


def test_ndjson_has_the_fields_of_the_item_list(http: httpx.Client, batch: dict[str, Any]) -> None:
    answer = results(http, batch)
    assert lines(answer) == all_items(http, batch)
    assert len(answer.text.splitlines()) == 250
    assert lines(results(http, batch, after=247)) == all_items(http, batch)[248:]
    assert lines(results(http, batch, after=249)) == []


def test_statuses_choose(http: httpx.Client, batch: dict[str, Any]) -> None:
    assert [item["index"] for item in lines(results(http, batch, status="FAILED"))] == [7, 249]
    assert [item["index"] for item in lines(results(http, batch, status="INVALID"))] == [99]
    assert len(lines(results(http, batch, status="SUCCESS"))) == 247
    assert lines(results(http, batch, status="RUNNING")) == []


def test_csv_gives_back_exactly_what_is_stored(http: httpx.Client, batch: dict[str, Any]) -> None:
    answer = results(http, batch, format="csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    items = all_items(http, batch)
    assert list(rows[0]) == list(items[0])
    for row, item in zip(rows, items, strict=True):
        for name in ("key", "operation", "status", "message", "createdAt", "finishedAt"):
            assert row[name] == (item[name] or ""), name
        assert [int(row["index"]), int(row["attempts"])] == [item["index"], item["attempts"]]
        assert row["code"] == ("" if item["code"] is None else str(item["code"]))
        assert json.loads(row["input"]) == item["input"]
        assert json.loads(row["result"] or "null") == item["result"]


def test_csv_for_a_spreadsheet_holds_no_formula(http: httpx.Client, batch: dict[str, Any]) -> None:
    exact = csv.DictReader(io.StringIO(results(http, batch, format="csv").text, newline=""))
    assert [row["key"] for row in exact][50] == "=cmd()"
    answer = results(http, batch, format="csv", spreadsheet="true")
    guarded = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert [row["key"] for row in guarded][50] == "'=cmd()"


@pytest.mark.parametrize(
    ("cell", "guarded"),
    [
        ("=1", "'=1"),
        ("-1+1", "'-1+1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\t=1", "'\t'=1"),
        ("\n=1", "'\n'=1"),
        ("a\n=1", "a\n'=1"),
        # Where these separate cells.
        ("a;=cmd()", "a;'=cmd()"),
        ('a;"=cmd()"', 'a;\'"=cmd()"'),
        ("a\t+1", "a\t'+1"),
        ("a=1, b-2", "a=1, b-2"),
        ("a; b", "a; b"),
    ],
)
def test_nothing_begins_as_a_formula_whatever_separates_cells(cell: str, guarded: str) -> None:
    assert _guard(cell) == guarded


def test_gzip_where_it_is_asked_for(http: httpx.Client, batch: dict[str, Any]) -> None:
    path = f"/v1/batches/{batch['id']}/results"
    with http.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        packed = b"".join(answer.iter_raw())
    with http.stream("GET", path, headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert gzip.decompress(packed) == b"".join(answer.iter_raw())
    refused = {"Accept-Encoding": "gzip;q=0, identity"}
    assert "Content-Encoding" not in http.get(path, headers=refused).headers


def test_what_failed_can_be_submitted_as_it_is(
    stack: Stack, http: httpx.Client, batch: dict[str, Any]
) -> None:
    answer = results(http, batch, format="resubmit", status="FAILED")
    failed = [item["input"] for item in all_items(http, batch) if item["status"] == "FAILED"]
    assert lines(answer) == [{"operation": "test.bulk", "data": item} for item in failed]
    again = ended(stack, http, content=answer.content, headers=NDJSON)
    assert again["summary"]["total"] == len(failed) == 2
    assert [item["input"] for item in all_items(http, again)] == failed


def test_items_that_name_their_operation_name_it_again(stack: Stack, http: httpx.Client) -> None:
    items: list[Any] = [
        {"operation": "test.bulk", "data": {"do": "reject", "key": "a"}},
        {"operation": "test.probe", "data": {"do": "reject", "key": "b"}},
        {"do": "reject", "key": "c"},
    ]
    batch = ended(stack, http, json={"items": items, "operation": "test.bulk"})
    assert batch["summary"]["failed"] == 3
    answer = results(http, batch, format="resubmit", status="FAILED")
    assert lines(answer) == [*items[:2], {"operation": "test.bulk", "data": items[2]}]
    again = ended(stack, http, content=answer.content, headers=NDJSON)
    shown = [(item["operation"], item["key"]) for item in all_items(http, again)]
    assert shown == [("test.bulk", "a"), ("test.probe", "b"), ("test.bulk", "c")]


def test_an_item_of_no_known_operation_is_as_it_was_sent(stack: Stack, http: httpx.Client) -> None:
    items = [{"operation": "test.nobodys", "data": {"a": 1}}, {"operation": 5, "data": {"b": 2}}]
    batch = ended(stack, http, json={"items": items, "operation": "test.bulk"})
    assert batch["summary"]["invalid"] == 2
    answer = results(http, batch, format="resubmit", status="INVALID")
    assert lines(answer) == [items[0], {"operation": "test.bulk", "data": items[1]}]


def test_the_largest_item_can_be_submitted_again(stack: Stack, http: httpx.Client) -> None:
    """The line says more than the item did; only the item is bounded."""
    most = http.get("/v1/limits").json()["maxItemBytes"]
    item = {"do": "reject", "key": "large", "payload": ""}
    item["payload"] = "x" * (most - len(json.dumps(item)))
    path = {"params": {"operation": "test.bulk"}, "headers": NDJSON}
    batch = ended(stack, http, content=json.dumps(item), **path)
    again = results(http, batch, format="resubmit").content
    assert len(again) > most
    assert ended(stack, http, content=again, headers=NDJSON)["summary"]["total"] == 1
    over = http.post("/v1/batches", content=again.replace(b"xx", b"xxx", 1), headers=NDJSON)
    assert (over.status_code, over.json()["errors"][0]["pointer"]) == (413, "/items/0")


@pytest.mark.parametrize(
    "query",
    [{"format": "xml"}, {"status": "DONE"}, {"after": "x"}, {"after": -2}, {"limit": 5}],
    ids=str,
)
def test_what_is_not_understood_is_refused(
    http: httpx.Client, batch: dict[str, Any], query: dict[str, Any]
) -> None:
    answer = http.get(f"/v1/batches/{batch['id']}/results", params=query)
    assert answer.status_code == 422
    [name] = query
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]


def test_an_unknown_batch_is_404_before_anything_is_streamed(
    stack: Stack, http: httpx.Client, batch: dict[str, Any]
) -> None:
    answer = http.get("/v1/batches/01890000-0000-7000-8000-000000000000/results")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_pages_are_bounded_by_their_bytes(
    stack: Stack,
    http: httpx.Client,
    engine: Engine,
    owner: ClientSecret,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many small items, then a few large ones: all come, in order, and no page is large."""
    large = [{"do": "succeed", "key": f"l{number}", "payload": "x" * 50_000} for number in range(9)]
    small = [{"do": "succeed", "key": f"s{number}"} for number in range(500)]
    batch = ended(stack, http, json={"operation": "test.bulk", "items": small + large})
    monkeypatch.setattr(exporting, "_MOST_BYTES", 120_000)
    pages = list(exporting.read_items(engine, owner.client_id, batch["id"]))
    assert [item.index for page in pages for item in page] == list(range(509))
    sizes = [sum(len(item.input) + len(item.result or "") for item in page) for page in pages]
    assert max(sizes) < 120_000 + 2 * 50_100
