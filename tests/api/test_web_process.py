"""The real web process: bodies that arrive badly, and memory that does not grow with them."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from tests.api.conftest import MASTERLIST
from tests.support.stack import Stack, wait_for
from tests.support.wire import Wire

NDJSON = "application/x-ndjson"
LINE = b'{"asin":"A1","countryCode":"US","percACoS":2.7}\n'
MIB = 1024 * 1024


@pytest.fixture
def wire(stack: Stack, client: ClientSecret) -> Iterator[Wire]:
    wire = Wire(stack, client)
    yield wire
    wire.socket.close()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (["Content-Length: 1000"], LINE * 2),
        (["Content-Length: 1000"], b""),
        (["Transfer-Encoding: chunked"], b"%x\r\n" % len(LINE) + LINE + b"\r\n"),
        (["Transfer-Encoding: chunked"], b"%x\r\n" % len(LINE) + LINE[:9]),
        (["Transfer-Encoding: chunked"], b"zz\r\n" + LINE),
        (["Content-Encoding: gzip", "Content-Length: 30"], gzip.compress(LINE * 9, mtime=0)[:30]),
    ],
)
def test_a_body_cut_short_leaves_nothing(
    wire: Wire, rows: Any, headers: list[str], body: bytes
) -> None:
    wire.head(*headers)
    wire.socket.sendall(body)
    status, problem = wire.answer()
    assert (status, problem["status"]) == (400, 400)
    assert rows() == (0, 0)


def test_chunks_are_taken(wire: Wire, rows: Any) -> None:
    wire.head("Transfer-Encoding: chunked")
    for _ in range(3):
        wire.socket.sendall(b"%x\r\n" % len(LINE) + LINE + b"\r\n")
    wire.socket.sendall(b"0\r\n\r\n")
    status, batch = wire.answer()
    assert (status, batch["summary"]["total"]) == (202, 3)
    assert rows() == (1, 3)


def claims(engine: Engine, client: ClientSecret) -> int:
    """How many keys the client's requests hold."""
    with engine.connect() as connection:
        return int(
            connection.execute(
                text("SELECT count(*) FROM idempotency_keys WHERE client_id = :client"),
                {"client": client.client_id},
            ).scalar_one()
        )


def test_a_client_that_goes_away_leaves_nothing(
    stack: Stack, client: ClientSecret, rows: Any, engine: Engine
) -> None:
    key = "Idempotency-Key: gone"
    wire = Wire(stack, client)
    wire.head("Content-Length: 100000", key)
    wire.socket.sendall(LINE * 100)
    with stack.http(client) as http:

        def send() -> int:
            return http.post(
                f"/v1/batches?{MASTERLIST}&start=manual",
                content=LINE,
                headers={"Content-Type": NDJSON, "Idempotency-Key": "gone"},
            ).status_code

        # The server is in the middle of it, and holds the key; then it gives it back.
        wait_for(lambda: claims(engine, client), within=10)
        assert send() == 409
        assert rows() == (0, 0)
        wire.vanish()
        wait_for(lambda: send() == 202, within=10)
    assert rows() == (1, 1)


def test_memory_does_not_grow_with_the_body(stack: Stack, client: ClientSecret) -> None:
    count = 300_000
    most = 0
    done = threading.Event()
    web = [
        process
        for process in psutil.Process().children(recursive=True)
        if "gunicorn" in " ".join(process.cmdline())
    ]
    assert web

    def look() -> None:
        nonlocal most
        while not done.wait(0.02):
            most = max(most, *(process.memory_info().rss for process in web))

    def body() -> Iterator[bytes]:
        for start in range(0, count, 1000):
            yield b"".join(
                b'{"asin":"A%d","countryCode":"US","percACoS":2.7}\n' % number
                for number in range(start, start + 1000)
            )

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        with stack.http(client, timeout=100) as http:
            answer = http.post(
                f"/v1/batches?{MASTERLIST}&start=manual",
                content=body(),
                headers={"Content-Type": NDJSON},
            )
    finally:
        done.set()
        watcher.join()
    assert answer.status_code == 202
    assert answer.json()["summary"]["total"] == count
    assert most < 200 * MIB
