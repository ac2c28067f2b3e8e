"""`batchline.client.Client` against the running stack."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.clients.credentials import ClientSecret
from batchline.client import (
    ApiError,
    BadFile,
    BadItem,
    Client,
    ClientError,
    NotEnded,
    download,
    items_to_send,
    resending,
)
from tests.support.breaking import breaking
from tests.support.receiver import Received, Reply, receiving
from tests.support.stack import Stack

GOOD = {"asin": "A1", "countryCode": "US", "percACoS": 2.7}
BAD = {"asin": "A1", "countryCode": "usa", "percACoS": 2.7}


@pytest.fixture
def own(stack: Stack, client: ClientSecret) -> Iterator[Client]:
    with Client(stack.url, client.secret) as own:
        yield own


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resending, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(download, "_PAUSE", 0.01)


def test_a_batch_from_its_submission_to_its_failures(own: Client) -> None:
    items = [GOOD, BAD, {**GOOD, "asin": "A2"}, {"asin": "A3"}, BAD]
    batch = own.submit("catalog.masterlist", items, name="typed", metadata={"run": 7})
    assert (batch.name, batch.metadata, batch.dialect) == ("typed", {"run": 7}, "native")
    assert batch.created_at.tzinfo is not None
    ended = own.wait(batch.id, timeout=60)
    assert ended.ended
    assert ended.id == batch.id
    assert (ended.status, ended.progress) == ("PARTIAL", 1.0)
    assert (ended.summary.completed, ended.summary.invalid, ended.summary.total) == (2, 3, 5)
    assert isinstance(ended.finished_at, datetime)
    assert own.batch(batch.id) == ended

    shown = list(own.items(batch.id))
    assert [item.input for item in shown] == items
    assert [item.status for item in shown] == [
        "SUCCESS",
        "INVALID",
        "SUCCESS",
        "INVALID",
        "INVALID",
    ]
    assert shown[0].result == {"process": "INSERT"}
    assert shown[0].key == "A1:US"
    assert [item.index for item in own.items(batch.id, status="INVALID")] == [1, 3, 4]
    assert [item.index for item in own.items(batch.id, limit=2)] == [0, 1]
    assert [item.index for item in own.items(batch.id, key="A1:US")] == [0]
    assert list(own.results(batch.id)) == shown
    assert [item.index for item in own.results(batch.id, status="INVALID", after=1)] == [3, 4]

    first, second = own.failures(batch.id)
    assert (first.count, first.status, first.operation) == (2, "INVALID", "catalog.masterlist")
    assert (first.first_index, first.last_index) == (1, 4)
    assert first.example == shown[1].message
    assert (second.count, second.example) == (1, shown[3].message)
    assert [failure.count for failure in own.failures(batch.id, limit=1)] == [2]


def test_pages_are_fetched_as_they_are_asked_for(
    own: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = own.submit("catalog.masterlist", [GOOD] * 2500, start="manual")
    asked: list[str] = []
    request = own._api.request

    def counted(method: str, path: str, **options: Any) -> httpx.Response:
        asked.append(path)
        return request(method, path, **options)

    monkeypatch.setattr(own._api, "request", counted)
    items = own.items(batch.id)
    assert not asked
    assert next(items).index == 0
    assert len(asked) == 1
    assert [item.index for item in items] == list(range(1, 2500))
    assert len(asked) == 3


def test_an_iterable_is_sent_without_being_held(
    own: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items_to_send, "_MOST_ITEMS", 100)
    given = ({**GOOD, "asin": f"A{number}"} for number in range(1500))
    batch = own.submit("catalog.masterlist", given, on_invalid="reject", maxFailures=3)
    assert own.wait(batch.id).summary.completed == 1500


def test_values_that_json_has_no_word_for(own: Client) -> None:
    day = datetime(2027, 1, 31, tzinfo=UTC)
    promotion = {
        "promotion": uuid4(),
        "product": "P",
        "discount": Decimal("0.10"),
        "startsAt": day,
        "endsAt": day + timedelta(days=3),
    }
    batch = own.wait(own.submit("catalog.promotion", [promotion]).id)
    assert batch.status == "SUCCESS", list(own.failures(batch.id))
    soon = datetime.now(UTC) + timedelta(days=1)
    scheduled = own.submit("catalog.promotion", [promotion], scheduled_at=soon)
    assert scheduled.status == "SCHEDULED"
    assert scheduled.scheduled_at is not None
    assert abs(scheduled.scheduled_at - soon) < timedelta(milliseconds=1)


NAIVE = datetime(2027, 1, 1)  # noqa: DTZ001 (which is what is refused)


@pytest.mark.parametrize("item", [{"a": float("nan")}, {"a": object()}, {"a": "\ud800"}, [NAIVE]])
def test_an_item_that_is_no_json_is_named_and_nothing_is_sent(own: Client, item: Any) -> None:
    key = str(uuid4())
    with pytest.raises(BadItem, match="Item 1 cannot be sent") as caught:
        own.submit("catalog.masterlist", [GOOD, item], idempotency_key=key)
    assert caught.value.index == 1
    # The key is free, so nothing came.
    assert own.submit("catalog.masterlist", [GOOD], idempotency_key=key).summary.total == 1


ENDINGS = [".json", ".ndjson", ".jsonl", ".csv", ".json.gz", ".ndjson.gz", ".csv.gz"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_files_by_their_names(own: Client, tmp_path: Path, ending: str) -> None:
    texts = {
        ".json": json.dumps([GOOD, GOOD]),
        ".csv": "sep=;\nasin;countryCode;percACoS\nA1;US;2.7\n;;\nA1;US;2.7\n",
    }
    text = texts.get(ending.removesuffix(".gz"), "\n".join(map(json.dumps, [GOOD, GOOD]))).encode()
    path = tmp_path / f"feed{ending}"
    path.write_bytes(gzip.compress(text) if ending.endswith(".gz") else text)
    batch = own.submit("catalog.masterlist", path, name="feed")
    assert batch.name == "feed"
    assert own.wait(batch.id).summary.completed == 2


def test_a_file_that_cannot_be_sent(own: Client, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no such file"):
        own.submit("catalog.masterlist", tmp_path / "none.csv")
    # No word of an option that only the command line has.
    with pytest.raises(BadFile, match=r"items.xls: its name has to end in one of \.json, "):
        own.submit("catalog.masterlist", tmp_path / "items.xls")


@pytest.mark.parametrize("items", ["feed.csv", b"[]", bytearray(b"[]"), {"asin": "A1"}])
def test_what_is_iterable_and_no_list_of_items_is_refused(own: Client, items: Any) -> None:
    with pytest.raises(TypeError, match="the Path of a file"):
        own.submit("catalog.masterlist", items)
    assert not own._api.get("/v1/batches")["data"]


DIGITS = "0.1234567890123456789012345"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("whole", [False, True])
def test_a_json_file_is_sent_to_the_letter(
    own: Client, tmp_path: Path, whole: bool, encoding: str
) -> None:
    items = [
        f'{{"asin": "Ä1", "countryCode": "US", "percACoS": {value}}}'
        for value in (DIGITS, "1e400", "1" * 5000)
    ]
    text = f"[{', '.join(items)}]"
    if whole:
        text = f'{{"name": "of the file", "metadata": {{"price": {DIGITS}}}, "items": {text}}}'
    path = tmp_path / "feed.json"
    path.write_text(text, encoding=encoding)
    batch = own.wait(own.submit("catalog.masterlist", path, name="given").id)
    assert batch.name == "given"
    shown = [json.loads(line, parse_float=str) for line in _lines(own, batch.id)]
    assert [item["status"] for item in shown] == ["SUCCESS", "INVALID", "INVALID"]
    assert shown[0]["input"] == {"asin": "Ä1", "countryCode": "US", "percACoS": DIGITS}


def _lines(own: Client, batch_id: str) -> list[bytes]:
    return b"".join(download.download(own._api, batch_id, {})).splitlines()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[NaN]", "not JSON"),
        (b"[1", "not JSON"),
        (b'["\xff"]', "not JSON"),
        (b"7", "neither an array"),
        (b"{}", "neither an array"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_json_is_not_sent(
    own: Client, tmp_path: Path, text: bytes, said: str
) -> None:
    path = tmp_path / "feed.json"
    path.write_bytes(text)
    with pytest.raises(BadFile, match=said):
        own.submit("catalog.masterlist", path)


def test_items_that_name_their_operation(own: Client) -> None:
    batch = own.submit(None, [{"operation": "catalog.masterlist", "data": GOOD}])
    assert batch.operation is None
    assert own.wait(batch.id).status == "SUCCESS"


def test_a_refusal_has_its_status_and_its_problem(own: Client) -> None:
    with pytest.raises(ApiError) as caught:
        own.submit("no.such", [GOOD])
    assert caught.value.status == 422
    assert caught.value.problem["errors"][0]["pointer"] == "/operation"
    assert isinstance(caught.value, ClientError)
    with pytest.raises(ApiError) as caught:
        own.submit("catalog.masterlist", [GOOD], nome="slip")
    assert "nome" in str(caught.value)
    for call in (
        own.batch,
        own.wait,
        lambda each: list(own.failures(each)),
        lambda each: list(own.results(each)),
    ):
        with pytest.raises(ApiError) as caught:
            call("01890000-0000-7000-8000-000000000000")
        assert (caught.value.status, caught.value.problem["status"]) == (404, 404)
    with Client(own._api.url, "wrong") as other, pytest.raises(ApiError) as caught:
        other.submit("catalog.masterlist", [GOOD])
    assert caught.value.status == 401


def test_a_wait_has_its_end(own: Client) -> None:
    batch = own.submit("catalog.masterlist", [GOOD], start="manual")
    for timeout in (0, 0.2, 1.2):
        with pytest.raises(NotEnded) as caught:
            own.wait(batch.id, timeout=timeout)
        assert caught.value.batch.status == "OPEN"
    assert isinstance(caught.value, TimeoutError)


def test_a_lost_answer_is_asked_for_again_and_nothing_is_submitted_twice(
    stack: Stack, client: ClientSecret, own: Client, tmp_path: Path
) -> None:
    path = tmp_path / "feed.ndjson"
    path.write_text(json.dumps(GOOD))
    for items in ([GOOD], iter([GOOD]), path):
        with breaking(stack.url) as proxy, Client(proxy.url, client.secret) as far:
            # The request is carried out, and its answer is lost behind its first byte, or its head.
            proxy.after = [1, 30]
            batch = far.submit("catalog.masterlist", items)
            sent = b"".join(proxy.requests)
        assert sent.count(b"POST /v1/batches") == 3
        heads = [line for line in sent.split(b"\r\n") if line.lower().startswith(b"idempotency")]
        assert len(heads) == 3
        assert len(set(heads)) == 1
        assert own.wait(batch.id).summary.total == 1
    with stack.http(client) as http:
        assert len(http.get("/v1/batches").json()["data"]) == 3


def test_what_only_reads_is_asked_for_again(
    stack: Stack, client: ClientSecret, own: Client
) -> None:
    batch = own.wait(own.submit("catalog.masterlist", [GOOD, BAD]).id)
    with breaking(stack.url) as proxy, Client(proxy.url, client.secret) as far:
        proxy.after = [0, 100]
        assert far.batch(batch.id) == batch
    with breaking(stack.url) as proxy, Client(proxy.url, client.secret) as far:
        proxy.after = [300]
        assert [item.index for item in far.results(batch.id)] == [0, 1]
        assert not proxy.after


def test_a_503_is_sent_again_with_the_same_key(stack: Stack, client: ClientSecret) -> None:
    problem = b'{"type": "urn:batchline:problem:busy", "status": 503, "detail": "Busy."}'
    seen: list[Received] = []

    def answer(received: Received) -> Reply:
        seen.append(received)
        if len(seen) < 3:
            return Reply(503, problem, {"Retry-After": "0"})
        sent = httpx.post(
            f"{stack.url}{received.path}",
            content=received.body,
            headers={
                name: received.headers[name]
                for name in ("authorization", "content-type", "idempotency-key")
            },
        )
        return Reply(sent.status_code, sent.content)

    with receiving(answer) as receiver:
        url = f"http://127.0.0.1:{receiver.port}"
        with Client(url, client.secret) as far:
            batch = far.submit("catalog.masterlist", [GOOD])
        assert batch.summary.total == 1
        assert len({(each.headers["idempotency-key"], each.body) for each in seen}) == 1
        assert len(seen) == 3
        seen.clear()
        with Client(url, client.secret, tries=2) as far, pytest.raises(ApiError) as caught:
            far.submit("catalog.masterlist", [GOOD])
        assert (caught.value.status, caught.value.problem["detail"]) == (503, "Busy.")
        assert len(seen) == 2


def test_the_same_key_of_ones_own_submits_once(own: Client) -> None:
    key = str(uuid4())
    first = own.submit("catalog.masterlist", [GOOD], idempotency_key=key)
    assert own.submit("catalog.masterlist", [GOOD], idempotency_key=key).id == first.id
    with pytest.raises(ApiError) as caught:
        own.submit("catalog.masterlist", [BAD], idempotency_key=key)
    assert caught.value.problem["type"] == "urn:batchline:problem:key-reused"


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", ""])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        Client(url, "secret")


def test_items_are_mended_and_run_again(own: Client) -> None:
    items = [GOOD, BAD, {"asin": "A3"}]
    batch_id = own.submit("catalog.masterlist", items).id
    own.wait(batch_id, timeout=60)
    [first] = own.history(batch_id, 1)
    assert (first.attempt, first.status, first.input) == (0, "INVALID", BAD)
    edited = own.edit_item(batch_id, 1, {**GOOD, "asin": "A2", "percACoS": Decimal("1.5")})
    assert (edited.status, edited.key) == ("INVALID", "A2:US")
    assert edited.input == {**GOOD, "asin": "A2", "percACoS": "1.5"}
    chosen = own.retry_items(batch_id, [0, 1])
    assert (chosen.selected, chosen.batch.id) == (1, batch_id)
    assert own.wait(batch_id, timeout=60).summary.completed == 2
    assert [each.status for each in own.history(batch_id, 1)] == ["INVALID", "SUCCESS"]
    assert [each.status for each in own.history(batch_id, 1, limit=1)] == ["INVALID"]
    with pytest.raises(ApiError) as refused:
        own.edit_item(batch_id, 0, GOOD)
    assert refused.value.status == 409
    [left] = own.failures(batch_id)
    assert own.retry_items(batch_id, status="INVALID", failure=left.failure).selected == 1
    own.wait(batch_id, timeout=60)


def test_items_are_chosen_by_several_of_one(own: Client) -> None:
    batch_id = own.submit("catalog.masterlist", [GOOD] * 5, start="manual").id
    assert own.cancel_items(batch_id, iter([1, 3])).selected == 2
    assert own.cancel_items(batch_id, status=("PENDING",), key="A1:US").selected == 3
    wanted: list[dict[str, Any]] = [
        {"indexes": [1, 2]},
        {"indexes": (1, 2), "status": ("CANCELED", "FAILED")},
        {"indexes": "1,2", "status": "CANCELED"},
    ]
    for filters in wanted:
        assert [item.index for item in own.items(batch_id, **filters)] == [1, 2]
        assert [item.index for item in own.results(batch_id, **filters)] == [1, 2]
