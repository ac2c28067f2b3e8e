"""What of a receiver's answer is read, and what of it is shown."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from app.core.addresses import hosts_and_networks
from app.webhooks.addresses import Kind, Policy
from app.webhooks.network import MOST_BYTES
from app.webhooks.sending import KEPT_BYTES, send
from tests.support.receiver import Reply, receiving

SHOWN = Policy(private=True, show_answers=True)
HIDDEN = Policy(private=True)
SECRET = "internal-banner-1234"


@contextmanager
def answering(write: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that reads a request and then does as it likes with the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            try:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65_536)
                    write(connection)
            except OSError:
                pass  # the other side has had enough

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        thread.join(10)


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def drip_the_head(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def say_nothing(connection: socket.socket) -> None:
    connection.recv(1)


@pytest.mark.parametrize("write", [drip, drip_the_head, say_nothing])
def test_an_answer_without_end_is_read_no_longer_than_the_limit(
    write: Callable[[socket.socket], None],
) -> None:
    with answering(write) as url:
        begun = time.monotonic()
        answer = send(url, "{}", {}, allowed=SHOWN, time_limit=0.5)
        assert time.monotonic() - begun < 2
    assert (answer.status is not None) == (write is drip)


def flood_the_head(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Filler: " + b"x" * 1000 + b"\r\n")


def flood_with_continues(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def flood_the_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65_536)


def flood_with_chunks(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1;" + b"e" * 1000 + b"\r\nx\r\n")


@pytest.mark.parametrize(
    "write", [flood_the_head, flood_with_continues, flood_the_body, flood_with_chunks]
)
def test_an_answer_without_end_is_read_no_further_than_the_limit(
    write: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0
    really = socket.socket.recv

    def recv(self: socket.socket, size: int, *flags: int) -> bytes:
        nonlocal read
        got = really(self, size, *flags)
        if threading.current_thread() is threading.main_thread():
            read += len(got)
        return got

    monkeypatch.setattr(socket.socket, "recv", recv)
    with answering(write) as url:
        begun = time.monotonic()
        answer = send(url, "{}", {}, allowed=SHOWN, time_limit=10)
        assert time.monotonic() - begun < 5
    assert 0 < read <= MOST_BYTES
    assert answer.status == 200 or answer.error
    assert len(answer.body or "") <= KEPT_BYTES


def test_what_is_compressed_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    packed = Reply(200, bomb, {"Content-Encoding": "gzip"})
    with receiving(lambda _: packed) as receiver:
        answer = send(receiver.url, "{}", {}, allowed=SHOWN)
    assert receiver.received[0].headers["accept-encoding"] == "identity"
    assert answer.status == 200
    assert len(answer.body or "") <= KEPT_BYTES
    assert "\0" * 10 not in (answer.body or "")


@pytest.mark.parametrize(
    "policy",
    [
        HIDDEN,
        Policy(listed=hosts_and_networks("127.0.0.0/8")),
        Policy(listed=hosts_and_networks("localhost")),
    ],
)
def test_a_private_receivers_answer_is_its_status_alone(policy: Policy) -> None:
    with receiving(lambda _: Reply(500, SECRET.encode())) as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        answer = send(url, "{}", {}, allowed=policy)
        assert (answer.status, answer.body) == (500, None)
        shown = send(url, "{}", {}, allowed=Policy(True, policy.listed, show_answers=True))
        assert (shown.status, shown.body) == (500, SECRET)


def test_an_error_tells_nothing_of_what_a_private_receiver_said() -> None:
    """A server of another protocol greets with its name and version."""
    banner = f"SSH-2.0-{SECRET}\r\n\r\n".encode()
    with answering(lambda connection: connection.sendall(banner)) as url:
        hidden = send(url, "{}", {}, allowed=HIDDEN)
    assert hidden.error
    assert SECRET not in hidden.error
    assert SECRET in (hidden.detail or ""), "the operator's log has it"


def test_what_a_public_receiver_answers_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Public as far as the policy knows; the connection is made to this machine."""
    monkeypatch.setattr("app.webhooks.addresses._plain", lambda _: Kind.PUBLIC)
    with receiving(lambda _: Reply(500, b"what went wrong")) as receiver:
        monkeypatch.setattr(Policy, "refusal", lambda *_, **__: None)
        answer = send(receiver.url, "{}", {}, allowed=Policy())
        assert answer.body == "what went wrong"
        listed = Policy(listed=hosts_and_networks("127.0.0.1"))
        assert send(receiver.url, "{}", {}, allowed=listed).body is None, "it is on the list"


def test_a_public_address_is_not_connected_to_by_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda _host, port, **_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", port))],
    )
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    for policy in (Policy(private=True), SHOWN):
        answer = send("http://public.example/", "{}", {}, allowed=policy)
        assert "https" in (answer.error or "")


def test_a_redirect_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    to_metadata = Reply(307, headers={"Location": "http://169.254.169.254/latest/meta-data/"})
    asked: list[str] = []
    really = socket.create_connection

    def connect(address: tuple[str, int], *args: object, **options: object) -> socket.socket:
        asked.append(address[0])
        return really(address, *args, **options)  # type: ignore[arg-type]

    with receiving(lambda _: to_metadata) as receiver:
        monkeypatch.setattr(socket, "create_connection", connect)
        answer = send(receiver.url, "{}", {}, allowed=SHOWN)
    assert (answer.status, answer.taken) == (307, False)
    assert asked == ["127.0.0.1"]


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 31 Dec 9999 23:59:59 -9999999999999999999999",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 99 Jan 2020 25:00:00 GMT",
        "tomorrow",
    ],
)
def test_a_date_that_there_is_not_makes_no_failure_of_what_was_taken(date: str) -> None:
    reply = Reply(200, headers={"Retry-After": date})
    with receiving(lambda _: reply) as receiver:
        answer = send(receiver.url, "{}", {}, allowed=SHOWN)
    assert (answer.status, answer.error, answer.retry_after) == (200, None, None)
