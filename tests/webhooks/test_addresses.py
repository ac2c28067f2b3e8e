"""Where webhooks may go, and the network that keeps them to it."""

from __future__ import annotations

import socket
import time
from ipaddress import IPv4Address
from typing import Any

import httpcore
import pytest

from app.core.addresses import hosts_and_networks
from app.webhooks.addresses import Kind, Policy, kind_of
from app.webhooks.network import DeadlineExceeded, ForbiddenAddress, GuardedNetwork
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
    "2620:0:1::5efe:10.0.0.1",
    "fd12::5efe:8.8.8.8",
]
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.23",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    "fd00:a9fe:a9fe::1",
    "fd00:100::100:200",
    "fe80::a9fe:a9fe",
    "fe80::1%2",
]
# An IPv4 address in each form in which IPv6 has one.
FORMS = [
    "::ffff:{v4}",
    "::ffff:0:{v4}",
    "::{v4}",
    "64:ff9b::{v4}",
    "64:ff9b:1::{v4}",
    "2002:{hex}::",
    "2002:{hex}::1",
    "2001:0:{hex}::",
    "2001:0:0:0:0:0:{inverted}",
    "2620:0:1::5efe:{v4}",
    "2620:0:1::200:5efe:{v4}",
]
NEVER = [
    *METADATA,
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "::10.0.0.1",
    "::8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b:1::808:808",
    "no address",
]
# Metadata as the host of a URL, in the ways in which systems take an address.
SPELLED = [
    "2852039166",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.0376.0xa9.254",
    "169.254.169.254.",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]",
    "[fe80::a9fe:a9fe%25eth0]",
]
EVERYTHING = hosts_and_networks(f"0.0.0.0/0,::/0,metadata.example,{','.join(METADATA[:-2])}")
MOST_OPEN = Policy(private=True, listed=EVERYTHING, show_answers=True)


def in_form(form: str, address: str) -> str:
    """The IPv4 address in one of FORMS."""
    number = int(IPv4Address(address))
    return form.format(
        v4=address,
        hex=f"{number >> 16:x}:{number & 0xFFFF:x}",
        inverted=f"{~number >> 16 & 0xFFFF:x}:{~number & 0xFFFF:x}",
    )


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_open_to_https_alone(address: str) -> None:
    assert kind_of(address) is Kind.PUBLIC
    for policy in (Policy(), Policy(private=True), MOST_OPEN):
        assert policy.refusal(address, "x.example", secure=True) is None
        assert "https" in (policy.refusal(address, "x.example", secure=False) or "")


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("secure", [True, False])
def test_private_addresses_are_open_only_if_allowed(address: str, secure: bool) -> None:
    assert kind_of(address) is Kind.PRIVATE
    assert Policy().refusal(address, "x.example", secure=secure)
    assert Policy(private=True).refusal(address, "x.example", secure=secure) is None
    named = Policy(listed=hosts_and_networks("x.example, y.example"))
    assert named.refusal(address, "X.example.", secure=secure) is None
    assert named.refusal(address, "z.x.example", secure=secure)


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_open_whoever_names_them(address: str) -> None:
    assert kind_of(address) is Kind.NEVER
    for policy in (Policy(), MOST_OPEN):
        for host in ("x.example", "metadata.example", address):
            assert policy.refusal(address, host, secure=True)
            assert policy.refusal(address, host, secure=False)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("address", [one for one in METADATA if ":" not in one])
def test_metadata_is_known_in_every_form(form: str, address: str) -> None:
    assert kind_of(in_form(form, address)) is Kind.NEVER


@pytest.mark.parametrize(
    ("allowed", "address"),
    [
        ("10.1.0.0/16", "10.1.2.3"),
        ("10.1.0.0/16", "::ffff:10.1.2.3"),
        ("192.168.7.7", "192.168.7.7"),
        ("fd12::/16", "fd12::5"),
        ("127.0.0.0/8", "127.0.0.1"),
    ],
)
def test_a_listed_network_is_open_and_nothing_beside_it(allowed: str, address: str) -> None:
    policy = Policy(listed=hosts_and_networks(allowed))
    assert policy.refusal(address, "x.example", secure=False) is None
    for other in ("10.2.0.1", "192.168.7.8", "fd13::5", "::1"):
        assert policy.refusal(other, "x.example", secure=True)


@pytest.mark.parametrize("host", SPELLED)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_literal_address_is_known_however_it_is_spelled(scheme: str, host: str) -> None:
    for policy in (Policy(), MOST_OPEN):
        assert policy.fault(scheme, host)


def test_names_are_left_to_the_connection_but_not_what_can_never_be() -> None:
    listed = Policy(listed=hosts_and_networks("hooks.internal"))
    for policy in (Policy(), listed, Policy(private=True)):
        assert policy.fault("https", "metadata.google.internal") is None
    assert "https" in (Policy().fault("http", "hooks.internal") or "")
    assert listed.fault("http", "Hooks.internal") is None
    assert "https" in (listed.fault("http", "other.internal") or "")
    assert Policy(private=True).fault("http", "other.internal") is None
    assert "https" in (Policy(private=True).fault("http", "8.8.8.8") or "")


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
            allowed=Policy(),
        )
        assert answer.status is None
        # Which address the name stands for inside is not for the client to know.
        assert "hooks.example: webhooks may not go there" in (answer.error or "")
        assert "127.0.0.1" not in (answer.error or "")
        assert receiver.received == []


def test_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "8.8.8.8", "10.0.0.1")
    with pytest.raises(ForbiddenAddress, match="may not go there"):
        GuardedNetwork(Policy(), 1, secure=True).connect_tcp("both.example", 80)


def test_the_address_that_was_checked_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked twice, a name server could answer twice: it is asked once, and Host stays the name."""
    with receiving() as receiver:
        asked = resolve_to(monkeypatch, "127.0.0.1")
        answer = send(
            f"http://hooks.example:{receiver.port}/x?y=1",
            "{}",
            {},
            allowed=Policy(private=True),
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
            f"http://two.example:{receiver.port}/", "{}", {}, allowed=Policy(private=True)
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
        answer = send(receiver.url, "{}", {}, allowed=Policy(private=True), time_limit=0.5)
        assert time.monotonic() - begun < 2
        # A body that trickles still told its status.
        assert answer.status == (200 if reply.drip else None)
        assert bool(answer.error) == (not reply.drip)


def test_resolving_counts_against_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        GuardedNetwork(Policy(private=True), 0.2, secure=True).connect_tcp("slow.example", 80)
    assert time.monotonic() - begun < 1


def test_a_name_that_does_not_resolve_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(httpcore.ConnectError, match="cannot be resolved"):
        GuardedNetwork(Policy(private=True), 1, secure=True).connect_tcp("gone.example", 80)


def test_redirects_are_not_followed() -> None:
    with receiving() as target:
        moved = Reply(302, headers={"Location": target.url})
        with receiving(lambda _: moved) as receiver:
            answer = send(receiver.url, "{}", {}, allowed=Policy(private=True))
        assert answer.status == 302
        assert not answer.taken
        assert target.received == []


def test_the_first_kib_of_the_answer_is_kept() -> None:
    long = b"\x00\xff" + b"a" * 100_000
    with receiving(lambda _: Reply(500, long)) as receiver:
        answer = send(receiver.url, "{}", {}, allowed=MOST_OPEN)
    assert answer.status == 500
    assert answer.body is not None
    assert len(answer.body) == 1024
    assert answer.body.startswith("\ufffd\ufffda")
