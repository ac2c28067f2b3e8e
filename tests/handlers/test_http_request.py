"""`http.request` against a real server: what it sends, what it makes of every kind of answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

import pytest
from marshmallow import ValidationError

from app.core.jsontext import dumps, loads
from handlers import Item, Outcome, Registry, Reject, Retry
from handlers.contract import Answer, Problem
from handlers.load import load_handlers
from handlers.shipped.http_request.handler import Forwarder, Limits, offer
from tests.handlers.calling import HandlerContext, load
from tests.handlers.downstream import CERTIFICATE, Downstream, downstream, hang_up

LIMITS = Limits(total_seconds=0.6, connect_seconds=0.5, read_seconds=0.4, body_bytes=1024)


@pytest.fixture
def server() -> Iterator[Downstream]:
    with downstream() as server:
        yield server


_made: list[Sender] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """No connection is left open."""
    yield
    while _made:
        _made.pop().close()


class Sender:
    """A forwarder to a base below the server, and what its items end with."""

    def __init__(self, base: str, limits: Limits = LIMITS) -> None:
        self.context = HandlerContext(connection=None)  # type: ignore[arg-type]
        self.forwarder = Forwarder({"main": base}, limits)
        self.operation = self.forwarder.operation()
        _made.append(self)

    def close(self) -> None:
        hang_up(self.operation)

    def __call__(self, path: str = "/echo", method: str = "POST", **fields: Any) -> Answer:
        (item,) = load(self.operation, {"method": method, "path": path, **fields})
        return self.send(item)

    def send(self, item: Item) -> Answer:
        try:
            answer: Outcome = self.operation.handler(item, self.context)
        except Problem as problem:
            return problem
        dumps(answer.result)
        return answer


@pytest.fixture
def send(server: Downstream) -> Sender:
    return Sender(f"{server.url}/prefix")


def result(answer: Answer) -> Any:
    assert isinstance(answer, Outcome), answer
    return answer.result


def test_what_is_sent(send: Sender) -> None:
    (item,) = load(
        send.operation,
        loads(
            '{"base": "main", "method": "PUT", "path": "orders/a b/ü/%2Fx/echo", "key": 7,'
            ' "query": {"a": [1, "x&y"], "b": true, "c": 2.70},'
            ' "body": {"price": 2.70, "name": "ü"}}'
        ),
    )
    assert item.key == "7"
    got = result(send.send(item))
    assert (got["status"], got["truncated"]) == (200, False)
    echo = got["body"]
    assert echo["method"] == "PUT"
    assert echo["target"] == ("/prefix/orders/a%20b/%C3%BC/%2Fx/echo?a=1&a=x%26y&b=true&c=2.70")
    assert echo["body"] == '{"price":2.70,"name":"ü"}'
    assert echo["headers"]["content-type"] == "application/json"
    assert echo["headers"]["idempotency-key"] == f"{send.context.batch_id}:0"
    assert echo["headers"]["host"] == send.forwarder._bases["main"].split("/")[2]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_every_method_without_a_body(send: Sender, method: str) -> None:
    echo = result(send("/echo", method))["body"]
    assert echo["method"] == method
    assert echo["body"] == ""
    assert "content-type" not in echo["headers"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("empty", {"status": 204, "body": None, "truncated": False}),
        ("text", {"status": 200, "body": "Grüße\x00", "truncated": False}),
        ("liar", {"status": 200, "body": "<html>\ufffd", "truncated": False}),
        ("deep", {"status": 200, "body": "[" * 70 + "]" * 70, "truncated": False}),
        ("infinite", {"status": 200, "body": '{"price": 1e999}', "truncated": False}),
        ("gzip", {"status": 200, "body": None, "truncated": False}),
    ],
)
def test_what_succeeds(send: Sender, path: str, expected: dict[str, Any]) -> None:
    assert result(send(path)) == expected


def test_numbers_of_an_answer_stay_exact(send: Sender) -> None:
    assert dumps(result(send("numbers"))) == (
        '{"status":201,"body":{"price":2.70,"ok":true},"truncated":false}'
    )


def test_an_endless_body_is_cut_off(send: Sender) -> None:
    assert result(send("endless")) == {"status": 200, "body": "[" * 1024, "truncated": True}


@pytest.mark.parametrize("size", [LIMITS.body_bytes, LIMITS.body_bytes + 1])
def test_a_body_at_the_limit_and_one_over(server: Downstream, send: Sender, size: int) -> None:
    server.answers["/prefix/sized"] = lambda handler: handler.send(200, b"x" * size)
    got = result(send("sized"))
    assert (len(got["body"]), got["truncated"]) == (LIMITS.body_bytes, size > LIMITS.body_bytes)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 599])
def test_busy_and_broken_is_tried_again(server: Downstream, send: Sender, status: int) -> None:
    server.answers["/prefix/x"] = lambda handler: handler.send(status, b"not  now\n")
    answer = send("x")
    assert isinstance(answer, Retry)
    assert (answer.code, answer.after) == (status, None)
    assert answer.message == f"The downstream answered {status}: not now"


def _in(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        ("9" * 5000, 86400, 86400),
        (partial(_in, 90), 80, 91),
        (partial(_in, -90), 0, 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400, 86400),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(
    server: Downstream, send: Sender, status: int, header: Any, least: float, most: float
) -> None:
    value = header if isinstance(header, str) else header()
    server.answers["/prefix/x"] = lambda handler: handler.send(status, Retry_After=value)
    answer = send("x")
    assert isinstance(answer, Retry)
    assert answer.after is not None
    assert least <= answer.after <= most


def test_an_answer_may_ask_for_a_pace(server: Downstream, send: Sender) -> None:
    nothing_left = '"burst";r=0;t=6'
    server.answers["/prefix/x"] = lambda handler: handler.send(200, RateLimit=nothing_left)
    come_through = send("/x")
    assert isinstance(come_through, Outcome)
    assert come_through.pace == 6
    server.answers["/prefix/x"] = lambda handler: handler.send(429, RateLimit=nothing_left)
    refused = send("/x")
    assert isinstance(refused, Retry)
    assert refused.after == 6


@pytest.mark.parametrize("header", ["soon", "-5", "1.5", "Fri, 99 Dec 2026", "٣"])
def test_a_retry_after_that_says_nothing(server: Downstream, send: Sender, header: str) -> None:
    server.answers["/prefix/x"] = lambda handler: handler.send(
        503, Retry_After=header.encode().decode("latin-1")
    )
    answer = send("x")
    assert isinstance(answer, Retry)
    assert answer.after is None


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 499])
def test_a_refusal_is_final(server: Downstream, send: Sender, status: int) -> None:
    server.answers["/prefix/x"] = lambda handler: handler.send(
        status, b'{"detail": "unknown sku"}', Content_Type="application/problem+json"
    )
    answer = send("x")
    assert isinstance(answer, Reject)
    assert answer.code == status
    assert answer.message == f'The downstream answered {status}: {{"detail":"unknown sku"}}'


def test_a_long_refusal_is_told_in_short(server: Downstream, send: Sender) -> None:
    server.answers["/prefix/x"] = lambda handler: handler.send(400, b"x" * 1_000_000)
    answer = send("x")
    assert isinstance(answer, Reject)
    assert len(answer.message) < 400


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(server: Downstream, send: Sender, status: int) -> None:
    with downstream() as elsewhere:
        server.answers["/prefix/x"] = lambda handler: handler.send(
            status, Location=f"{elsewhere.url}/echo"
        )
        answer = send("x", "GET")
        assert isinstance(answer, Reject)
        assert answer.code == status
        assert answer.message == f"The downstream answered {status}; redirects are not followed"
        assert elsewhere.seen == []


@pytest.mark.parametrize("path", ["hangs", "dripsheaders", "dripsbody"])
def test_what_takes_too_long_is_tried_again(send: Sender, path: str) -> None:
    started = time.monotonic()
    answer = send(path)
    assert time.monotonic() - started < LIMITS.total_seconds + 0.5
    assert isinstance(answer, Retry)
    assert (answer.code, answer.message) == (504, "The downstream did not answer in time")


def test_a_refusal_counts_even_where_its_body_does_not_end(send: Sender) -> None:
    answer = send("dripserror")
    assert isinstance(answer, Reject)
    assert answer.code == 404


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("drops", "RemoteProtocolError"),
        ("breaks", "RemoteProtocolError"),
        ("garbage", "RemoteProtocolError"),
    ],
)
def test_a_broken_connection_is_tried_again(send: Sender, path: str, error: str) -> None:
    answer = send(path)
    assert isinstance(answer, Retry)
    assert (answer.code, answer.message) == (502, f"No answer from the downstream ({error})")


def test_nobody_there_is_tried_again_and_the_address_not_told() -> None:
    with downstream() as gone:
        url = gone.url
    answer = Sender(f"{url}/secret-prefix")("echo")
    assert isinstance(answer, Retry)
    assert (answer.code, answer.message) == (502, "No answer from the downstream (ConnectError)")


def test_connections_are_pooled_and_cookies_are_not_kept(server: Downstream, send: Sender) -> None:
    assert result(send("cookie"))["body"] == "ok"
    for _ in range(3):
        assert "cookie" not in result(send("echo"))["body"]["headers"]
    assert server.connections == 1


def test_proxies_of_the_environment_are_not_asked(
    monkeypatch: pytest.MonkeyPatch, server: Downstream
) -> None:
    with downstream() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert result(Sender(server.url)("echo"))["status"] == 200
        assert proxy.seen == []
    assert server.seen == [("POST", "/echo")]


def test_tls_is_checked_and_kept_to_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with downstream(tls=True) as server:
        answer = Sender(server.url)("echo")
        assert isinstance(answer, Retry)
        assert answer.message == "No answer from the downstream (ConnectError)"
        assert server.seen == []
        # An authority that this machine trusts is good enough.
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        send = Sender(server.url)
        assert result(send("echo"))["body"]["target"] == "/echo"
        too_slow = send("dripsheaders")
        assert isinstance(too_slow, Problem)
        assert too_slow.code == 504


def test_credentials_of_the_base_are_sent(server: Downstream) -> None:
    base = server.url.replace("http://", "http://user:pass%40word@")
    echo = result(Sender(base)("echo"))["body"]
    assert echo["headers"]["authorization"] == "Basic dXNlcjpwYXNzQHdvcmQ="


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "TRACE"},
        {"method": "get"},
        {"base": "other"},
        {"base": "http://127.0.0.1"},
        {"path": "http://127.0.0.1/echo"},
        {"path": "//127.0.0.1/echo"},
        {"path": "../echo"},
        {"path": None},
        {"path": 5},
        {"query": "a=1"},
        {"query": {"a": None}},
        {"query": {"a": {"b": 1}}},
        {"query": {"a": [[1]]}},
        {"headers": {"Host": "elsewhere"}},
        {"key": ""},
    ],
)
def test_what_is_invalid(send: Sender, server: Downstream, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        send.operation.load({"method": "POST", "path": "/echo", **fields})
    assert server.seen == []


def test_a_query_that_is_too_long_is_refused(send: Sender, server: Downstream) -> None:
    answer = send("echo", query={"a": "x" * 100_000})
    assert isinstance(answer, Reject)
    assert server.seen == []


def test_several_bases_have_to_be_named(server: Downstream) -> None:
    operation = Forwarder({"one": server.url, "two": f"{server.url}/two"}, LIMITS).operation()
    with pytest.raises(ValidationError, match="base"):
        operation.load({"method": "GET", "path": "/echo"})
    context = HandlerContext(connection=None)  # type: ignore[arg-type]
    for base in ("one", "two"):
        (item,) = load(operation, {"base": base, "method": "GET", "path": "/echo"})
        operation.handler(item, context)
    hang_up(operation)
    assert [target for _, target in server.seen] == ["/echo", "/two/echo"]


def test_it_is_offered_only_where_there_are_bases() -> None:
    registry = Registry()
    offer(registry, {})
    assert "http.request" not in registry
    offer(registry, {"main": "http://127.0.0.1"})
    operation = registry.get("http.request")
    assert operation is not None
    assert (operation.in_database, operation.queue, operation.bulk) == (False, "slow", False)
    try:
        assert "http.request" in load_handlers(http_bases={"main": "http://127.0.0.1"})
    finally:
        assert "http.request" not in load_handlers()
