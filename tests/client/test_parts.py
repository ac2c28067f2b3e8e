"""The parts of the client that need no server."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

import batchline.client as package
from batchline.client import ApiError, Item, WebhookRefused, verify_webhook
from batchline.client.failures import grouped
from batchline.client.models import Batch, Summary
from batchline.client.resending import until_answered

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT: dict[str, Any] = {
    "type": "batch.finished",
    "timestamp": "2026-11-21T09:41:00.123Z",
    "data": {"id": "1"},
}


def signed(body: str, secret: str = SECRET, at: datetime | None = None) -> dict[str, str]:
    at = at or datetime.now(UTC)
    return {
        "Webhook-Id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body),
    }


def test_a_message_that_is_good() -> None:
    body = json.dumps(EVENT)
    assert verify_webhook(SECRET, signed(body), body) == EVENT
    assert verify_webhook(SECRET, signed(body), body.encode()) == EVENT


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({}, b'{"type": "batch.finished", "data": {}}'),
        ({}, b"\xff"),
        ({}, b""),
        ({"webhook-signature": "v1"}, None),
        ({"webhook-signature": "v1,%%%"}, None),
        ({"webhook-signature": "v2,AAAA"}, None),
        ({"webhook-signature": ""}, None),
        ({"webhook-timestamp": "yesterday"}, None),
        ({"webhook-timestamp": "1700000000"}, None),
        ({"webhook-timestamp": "nan"}, None),
        ({"Webhook-Id": "msg_2"}, None),
    ],
    ids=str,
)
def test_a_message_that_is_not_to_be_believed(change: dict[str, str], body: bytes | None) -> None:
    text = json.dumps(EVENT)
    with pytest.raises(WebhookRefused):
        verify_webhook(SECRET, {**signed(text), **change}, text if body is None else body)


def test_what_was_signed_but_is_no_event() -> None:
    for text in ("[]", "not json"):
        with pytest.raises(WebhookRefused):
            verify_webhook(SECRET, signed(text), text)
    with pytest.raises(ValueError, match="no secret"):
        verify_webhook("", signed("{}"), "{}")
    other = "whsec_" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    with pytest.raises(WebhookRefused):
        verify_webhook(SECRET, signed("{}", other), "{}")


def item(index: int, message: str | None = None, **other: Any) -> Item:
    now = datetime.now(UTC)
    known: dict[str, Any] = {
        "index": index,
        "key": None,
        "operation": "x",
        "status": "FAILED",
        "attempts": 1,
        "code": 500,
        "message": message,
        "result": None,
        "input": {},
        "created_at": now,
        "started_at": now,
        "finished_at": now,
    }
    return Item(**{**known, **other})


def test_failures_are_grouped_and_what_is_too_various_is_one_group() -> None:
    items = [item(5, "b"), item(1, "b"), item(2, "b", code=404), item(3, "a"), item(4, "b")]
    found = [(each.message, each.code, each.count, each.first_index) for each in grouped(items)]
    assert found[0] == ("b", 500, 3, 1)
    assert sorted(found[1:]) == [("a", 500, 1, 3), ("b", 404, 1, 2)]
    various = list(grouped(item(n, f"message {n}") for n in range(1500)))
    assert len(various) == 1001
    assert (various[0].message, various[0].count) == ("Other failures", 500)


IN_FLIGHT = {"type": "urn:batchline:problem:key-in-flight"}
REUSED = {"type": "urn:batchline:problem:key-reused"}


@pytest.mark.parametrize(
    ("errors", "pauses"),
    [
        ([ApiError("gone")], [0.5]),
        ([ApiError("busy", status=503)] * 3, [0.5, 1.0, 2.0]),
        ([ApiError("busy", status=503, retry_after=7)], [7]),
        ([ApiError("busy", status=503, retry_after=3600)], [30]),
        ([ApiError("in flight", status=409, body=IN_FLIGHT)] * 2, [0.5, 1.0]),
    ],
)
def test_what_may_yet_succeed_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, errors: list[ApiError], pauses: list[float]
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    left = list(errors)

    def send() -> str:
        if left:
            raise left.pop()
        return "answered"

    assert until_answered(send, len(errors) + 1) == "answered"
    for asked, waited in zip(pauses, slept, strict=True):
        assert asked <= waited <= asked * 1.2
    left[:] = errors
    with pytest.raises(ApiError) as caught:
        until_answered(send, len(errors))
    assert caught.value is errors[-1]


@pytest.mark.parametrize(
    "error",
    [
        ApiError("no", status=422),
        ApiError("no", status=409, body=REUSED),
        ApiError("no", status=429, retry_after=1),
        ApiError("no", status=500, body="a page of HTML"),
    ],
)
def test_a_refusal_is_not_sent_again(error: ApiError) -> None:
    sent: list[int] = []

    def send() -> None:
        sent.append(1)
        raise error

    with pytest.raises(ApiError):
        until_answered(send, 5)
    assert sent == [1]


def test_fields_of_a_newer_server_are_passed_over() -> None:
    names = msgspec.structs.fields(Batch)
    shown = {field.encode_name: None for field in names} | {
        "id": "1",
        "status": "AWAITING",
        "createdAt": "2026-11-21T09:41:00.123Z",
        "progress": 0,
        "dialect": "native",
        "summary": dict.fromkeys([*Summary.__struct_encode_fields__, "other"], 0),
        "waitingFor": "approval",
    }
    batch = msgspec.json.decode(json.dumps(shown), type=Batch)
    assert (batch.status, batch.ended) == ("AWAITING", False)
    # Nor does a word for how it ended have to be known.
    shown |= {"status": "ANOTHER", "finishedAt": "2026-11-21T09:42:00.123Z"}
    assert msgspec.json.decode(json.dumps(shown), type=Batch).ended


def test_every_name_of_the_package_is_there() -> None:
    assert sorted(package.__all__) == sorted(package._PLACES)
    for name in package.__all__:
        assert getattr(package, name).__module__.startswith("batchline.client.")
    with pytest.raises(AttributeError):
        _ = package.nothing


def test_it_needs_none_of_the_server() -> None:
    code = (
        "import sys; from batchline.client import Client, verify_webhook; "
        "print([name for name in ('app', 'handlers', 'workers', 'flask', 'sqlalchemy', 'celery') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
