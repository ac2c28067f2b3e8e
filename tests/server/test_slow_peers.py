"""Peers that take their time, of every kind: they end in time, and nobody else waits for them."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from app.clients.credentials import ClientSecret
from app.server import bounds
from tests.server.talking import Talk
from tests.server.test_connections import GET, post
from tests.support.stack import Stack

pytestmark = pytest.mark.long
_BYTES = 1_000_000


def took(stack: Stack, begin: bytes, each: bytes) -> tuple[float, bytes]:
    """Seconds until the server ends a connection that goes on sending `each`, once a second.

    With what was said then.
    """
    said = b""
    with Talk(stack) as talk:
        talk.socket.sendall(begin)
        began = time.monotonic()
        talk.socket.settimeout(1)
        while time.monotonic() - began < 100:
            try:
                if each:
                    talk.socket.sendall(each)
                if not (more := talk.socket.recv(65536)):
                    break
                said += more
            except TimeoutError:
                continue
            except OSError:
                break
        return time.monotonic() - began, said


def test_each_ends_in_its_time(web: Stack, client: ClientSecret) -> None:
    """All at once: a byte of a head each second, silence, a byte of a body each second."""
    upload = "\r\n".join(post(client, "Content-Length: 10000")).encode() + b"\r\n\r\n"
    with ThreadPoolExecutor(3) as pool:
        head = pool.submit(took, web, b"GET / HTTP", b"1")
        idle = pool.submit(took, web, b"", b"")
        body = pool.submit(took, web, upload, b"\n")
        assert bounds.HEAD_SECONDS - 1 < head.result()[0] < bounds.HEAD_SECONDS + 8
        assert bounds.HEAD_SECONDS - 1 < idle.result()[0] < bounds.HEAD_SECONDS + 8
        assert bounds.LEAST_WITHIN - 1 < body.result()[0] < bounds.LEAST_WITHIN + 15
        assert idle.result()[1] == b""
        for late in (head, body):
            answer = late.result()[1]
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b'"type":"urn:batchline:problem:timeout"' in answer.replace(b": ", b":")


def test_ten_kibibytes_a_second_pass(web: Stack, client: ClientSecret) -> None:
    line = b'{"asin":"A1","countryCode":"US","percACoS":2.7}'.ljust(1023) + b"\n"
    seconds = int(bounds.LEAST_WITHIN) + 6
    with Talk(web) as talk:
        talk.send(*post(client, f"Content-Length: {seconds * 10 * 1024}"))
        for _ in range(seconds):
            time.sleep(1)
            talk.socket.sendall(line * 10)
        answer = talk.answer()
    assert (answer.status, answer.json["summary"]["total"]) == (202, seconds * 10)


def test_an_answer_that_is_not_read(web: Stack, client: ClientSecret) -> None:
    lines = b"".join(
        json.dumps({"asin": str(n), "filling": "x" * 200_000}).encode() + b"\n" for n in range(40)
    )
    with Talk(web) as talk:
        talk.send(*post(client, f"Content-Length: {len(lines)}"), body=lines)
        batch = talk.answer().json["id"]
    with Talk(web, receive_buffer=4096) as talk:
        for path in ("items", "results"):
            talk.send(
                f"GET /v1/batches/{batch}/{path} HTTP/1.1",
                "Host: here",
                f"Authorization: Bearer {client.secret}",
            )
        began = time.monotonic()
        port = talk.socket.getsockname()[1]
        guard = psutil.Process(web.processes["web"].process.pid)
        while any(
            connection.raddr and connection.raddr.port == port
            for process in guard.children(recursive=True)
            for connection in process.net_connections("tcp")
        ):
            assert time.monotonic() - began < bounds.UNREAD_SECONDS + 15
            time.sleep(0.5)
        assert time.monotonic() - began > bounds.UNREAD_SECONDS - 5


def test_hundreds_of_half_heads_and_bodies_stop_nobody(web: Stack, client: ClientSecret) -> None:
    """More of each than there are threads."""
    half = [Talk(web) for _ in range(800)]
    bodies = [Talk(web) for _ in range(800)]
    try:
        for talk in half:
            talk.socket.sendall(b"GET / HTTP/1.1\r\nX: ")
        for talk in bodies:
            talk.send(*post(client, f"Content-Length: {_BYTES}"), body=b"\n")
        times = []
        for _ in range(20):
            began = time.monotonic()
            with Talk(web) as talk:
                assert talk.send(*GET).answer().status == 200
            times.append(time.monotonic() - began)
        assert sorted(times)[10] < 1.0
        threads = max(
            process.num_threads()
            for process in psutil.Process(web.processes["web"].process.pid).children(recursive=True)
        )
        assert threads < 200, "the slow hold threads"
    finally:
        for talk in half + bodies:
            talk.socket.close()
    assert threading.active_count() < 50
