"""`http.request` goes where the operator says, but never to a cloud's metadata."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from handlers.outbound.transport import make_client


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were connected to; none of them answers."""
    asked: list[str] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        asked.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    return asked


def get(url: str) -> str:
    """What became of asking for it."""
    with (
        make_client(connect_seconds=1, read_seconds=1) as client,
        pytest.raises(httpx.ConnectError) as refused,
    ):
        client.get(url)
    return str(refused.value)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "2852039166",
        "0xa9.0376.43518",
        "[fd00:ec2::254]",
        "[fd20:ce::254]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
    ],
)
def test_metadata_is_not_connected_to(connected: list[str], host: str) -> None:
    assert "metadata" in get(f"http://{host}/latest/meta-data/")
    assert connected == []


def test_a_name_that_stands_for_metadata_too_is_not_connected_to(
    connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def getaddrinfo(_host: str, port: int, **_: object) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("192.0.2.1", "169.254.169.254")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert "metadata" in get("http://rebound.example/")
    assert connected == []


def test_the_addresses_that_were_looked_at_are_connected_to(
    connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked again, a name server could answer otherwise; and each of them has its chance."""
    asked = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("10.0.0.1", "10.0.0.2")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    get("http://inside.example/")
    assert connected == ["10.0.0.1", "10.0.0.2"]
    assert asked == ["inside.example"]
