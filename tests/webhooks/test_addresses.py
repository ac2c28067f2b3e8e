"""Where webhooks may go, and the network that keeps them to it."""

from __future__ import annotations

import socket
import time
from typing import Any

import httpcore
import pytest

from app.webhooks.addresses import may_connect
from app.webhooks.network import DeadlineExceeded, ForbiddenAddress, GuardedNetwork, checker
from app.webhooks.sending import send
from tests.support.receiver import Reply, receiving

PUBLIC = ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fc00::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
]
NEVER = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "fe80::1",
    "fe80::1%2",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "no address",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_open(address: str) -> None:
    assert may_connect(address, allow_private=False)
    assert may_connect(address, allow_private=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_open_only_if_allowed(address: str) -> None:
    assert not may_connect(address, allow_private=False)
    assert may_connect(address, allow_private=True)


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_open(address: str) -> None:
    assert not may_connect(address, allow_private=False)
    assert not may_connect(address, allow_private=True)


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name stand for `addresses`; the names that were asked for."""
    asked: list[str] = []
    really = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        if host in addresses:  # connecting to what was resolved
            return really(host, port, *args, **options)
        asked.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_that_points_inwards_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        resolve_to(monkeypatch, "127.0.0.1")
        answer = send(
            f"http://hooks.example:{receiver.port}/",
            "{}",
            {},
            allowed=checker(allow_private=False),
        )
        assert answer.status is None
        assert "127.0.0.1" in (answer.error or "")
        assert receiver.received == []


def test_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "8.8.8.8", "10.0.0.1")
    with pytest.raises(ForbiddenAddress, match=r"10\.0\.0\.1"):
        GuardedNetwork(checker(allow_private=False), 1).connect_tcp("both.example", 80)


def test_the_address_that_was_checked_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked twice, a name server could answer twice: it is asked once, and Host stays the name."""
    with receiving() as receiver:
        asked = resolve_to(monkeypatch, "127.0.0.1")
        answer = send(
            f"http://hooks.example:{receiver.port}/x?y=1",
            "{}",
            {},
            allowed=checker(allow_private=True),
        )
        assert answer.taken
        assert asked == ["hooks.example"]
        [received] = receiver.received
        assert received.headers["host"] == f"hooks.example:{receiver.port}"
        assert received.path == "/x?y=1"


def test_a_second_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
        answer = send(
            f"http://two.example:{receiver.port}/", "{}", {}, allowed=checker(allow_private=True)
        )
        assert answer.taken, answer.error


@pytest.mark.parametrize(
    "reply",
    [Reply(wait=5), Reply(200, b"x" * 500, {"Content-Length": "500"}, drip=0.1)],
    ids=["silent", "trickling"],
)
def test_the_time_limit_is_for_everything(reply: Reply) -> None:
    with receiving(lambda _: reply) as receiver:
        begun = time.monotonic()
        answer = send(receiver.url, "{}", {}, allowed=checker(allow_private=True), time_limit=0.5)
        assert time.monotonic() - begun < 2
        # A body that trickles still told its status.
        assert answer.status == (200 if reply.drip else None)
        assert bool(answer.error) == (not reply.drip)


def test_resolving_counts_against_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        GuardedNetwork(checker(allow_private=True), 0.2).connect_tcp("slow.example", 80)
    assert time.monotonic() - begun < 1


def test_a_name_that_does_not_resolve_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(httpcore.ConnectError, match="cannot be resolved"):
        GuardedNetwork(checker(allow_private=True), 1).connect_tcp("gone.example", 80)


def test_redirects_are_not_followed() -> None:
    with receiving() as target:
        moved = Reply(302, headers={"Location": target.url})
        with receiving(lambda _: moved) as receiver:
            answer = send(receiver.url, "{}", {}, allowed=checker(allow_private=True))
        assert answer.status == 302
        assert not answer.taken
        assert target.received == []


def test_the_first_kib_of_the_answer_is_kept() -> None:
    long = b"\x00\xff" + b"a" * 100_000
    with receiving(lambda _: Reply(500, long)) as receiver:
        answer = send(receiver.url, "{}", {}, allowed=checker(allow_private=True))
    assert answer.status == 500
    assert answer.body is not None
    assert len(answer.body) == 1024
    assert answer.body.startswith("\ufffd\ufffda")
