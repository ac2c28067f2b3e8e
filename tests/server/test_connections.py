"""What a connection may carry: several requests, bodies of every framing, and bad ones."""

from __future__ import annotations

import json
import threading
import time

import pytest

from app.clients.credentials import ClientSecret
from tests.api.conftest import MASTERLIST
from tests.server.talking import Talk
from tests.support.stack import Stack

LINE = b'{"asin":"A1","countryCode":"US","percACoS":2.7}\n'
GET = ("GET /healthz HTTP/1.1", "Host: here")


def post(client: ClientSecret, *more: str) -> tuple[str, ...]:
    return (
        f"POST /v1/batches?{MASTERLIST}&start=manual HTTP/1.1",
        "Host: here",
        f"Authorization: Bearer {client.secret}",
        "Content-Type: application/x-ndjson",
        *more,
    )


def test_requests_follow_each_other_and_may_be_sent_ahead(web: Stack) -> None:
    head = "\r\n".join(GET).encode() + b"\r\n\r\n"
    with Talk(web) as talk:
        talk.socket.sendall(head * 3 + head[:20])
        assert [talk.answer().status for _ in range(3)] == [200, 200, 200]
        talk.socket.sendall(head[20:])
        assert talk.answer().headers["connection"] == "keep-alive"
        talk.send(*GET, "Connection: close")
        assert talk.answer().headers["connection"] == "close"
        assert talk.ended()


@pytest.mark.parametrize("said", ["close", "Close", "close, TE", "TE,close"])
def test_who_asks_for_the_end_gets_it(web: Stack, said: str) -> None:
    with Talk(web) as talk:
        assert talk.send(*GET, f"Connection: {said}").answer().headers["connection"] == "close"
        assert talk.ended()


@pytest.mark.parametrize("size", [1, 4000, 200_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_any_size_and_framing(
    web: Stack, client: ClientSecret, size: int, chunked: bool
) -> None:
    count = max(1, size // len(LINE))
    body = LINE * count
    with Talk(web) as talk:
        for _ in range(2):
            if chunked:
                talk.send(*post(client, "Transfer-Encoding: chunked"))
                for start in range(0, len(body), 7000):
                    piece = body[start : start + 7000]
                    talk.socket.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                talk.socket.sendall(b"0\r\n\r\n")
            else:
                talk.send(*post(client, f"Content-Length: {len(body)}"), body=body)
            answer = talk.answer()
            assert (answer.status, answer.json["summary"]["total"]) == (202, count)
            assert answer.headers["connection"] == "keep-alive"


def test_a_body_is_asked_for_when_it_is_wanted(web: Stack, client: ClientSecret) -> None:
    head = (f"Content-Length: {len(LINE)}", "Expect: 100-continue")
    with Talk(web) as talk:
        talk.send(*post(client, *head))
        assert talk.answer().status == 100
        talk.socket.sendall(LINE)
        assert talk.answer().status == 202
    stranger = [line for line in post(client, *head) if "Authorization" not in line]
    with Talk(web) as talk:
        assert talk.send(*stranger).answer().status == 401, "and not 100"


def test_an_answer_before_the_body_has_come_arrives(web: Stack, client: ClientSecret) -> None:
    head = [line for line in post(client, "Content-Length: 5000000") if "Authoriz" not in line]
    with Talk(web) as talk:
        talk.send(*head, body=LINE * 1000)
        answer = talk.answer()
        assert (answer.status, answer.headers["connection"]) == (401, "close")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\n\n", 400),
        (b"GET / HTTP/3.7\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: sung\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nExpect: wonders\r\n\r\n", 417),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: %s\r\n" % (b"x" * 4000) * 9, 431),
    ],
)
def test_a_head_that_cannot_be_read(web: Stack, sent: bytes, status: int) -> None:
    with Talk(web) as talk:
        talk.socket.sendall(sent)
        answer = talk.answer()
        assert (answer.status, answer.json["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert talk.ended()


def test_a_body_whose_chunks_are_wrong_is_the_clients_fault(
    web: Stack, client: ClientSecret
) -> None:
    for kind, path in (("json", "/v1/webhooks"), ("x-ndjson", f"/v1/batches?{MASTERLIST}")):
        with Talk(web) as talk:
            talk.send(
                f"POST {path} HTTP/1.1",
                "Host: here",
                f"Authorization: Bearer {client.secret}",
                f"Content-Type: application/{kind}",
                "Transfer-Encoding: chunked",
                body=b"zz\r\nabc\r\n0\r\n\r\n",
            )
            assert talk.answer().status == 400


def test_a_long_answer_is_read_at_the_readers_pace(web: Stack, client: ClientSecret) -> None:
    """Much more than the kernel keeps: it is made while it is taken, and comes whole."""
    lines = b"".join(
        json.dumps({"asin": str(n), "filling": "x" * 100_000}).encode() + b"\n" for n in range(300)
    )
    with Talk(web, receive_buffer=8192) as talk:
        talk.send(*post(client, f"Content-Length: {len(lines)}"), body=lines)
        batch = talk.answer().json["id"]
        talk.send(
            f"GET /v1/batches/{batch}/results HTTP/1.1",
            "Host: here",
            f"Authorization: Bearer {client.secret}",
            "Connection: close",
        )
        received = bytearray()
        while data := talk.socket.recv(1 << 20):
            if len(received) < 5_000_000:
                time.sleep(0.001)
            received += data
    assert received.endswith(b"0\r\n\r\n")
    assert received.count(b'"index":') == 300


def test_many_at_once_are_all_answered(web: Stack, client: ClientSecret) -> None:
    """More than there are places, by one client."""
    statuses: list[int] = []

    def ask() -> None:
        with Talk(web) as talk:
            for _ in range(5):
                talk.send(
                    "GET /v1/batches?limit=1 HTTP/1.1",
                    "Host: here",
                    f"Authorization: Bearer {client.secret}",
                )
                statuses.append(talk.answer().status)

    threads = [threading.Thread(target=ask) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [200] * 300
