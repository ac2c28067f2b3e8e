"""The web process's connections: one that is slow to end holds nobody else up."""

from __future__ import annotations

import socket
import time

import httpx

from tests.support.stack import Stack


def test_clients_that_do_not_close_hold_nobody_up(stack: Stack) -> None:
    host, port = stack.url.removeprefix("http://").split(":")
    request = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    slow = [socket.create_connection((host, int(port)), timeout=30) for _ in range(5)]
    try:
        for one in slow:
            one.sendall(request)
            while one.recv(4096):
                pass  # to the end of the answer, but this side stays open
        begun = time.monotonic()
        assert httpx.get(f"{stack.url}/healthz", timeout=30).status_code == 200
        assert time.monotonic() - begun < 1.5
    finally:
        for one in slow:
            one.close()
