"""The web process's connections: one that is slow to end holds nobody else up."""

from __future__ import annotations

import socket
import time

import httpx

from tests.support.stack import Stack

# The server waits so many seconds for a client to close its side.
LINGER = 2.0
SLOW = 10


def test_clients_that_do_not_close_hold_nobody_up(stack: Stack) -> None:
    host, port = stack.url.removeprefix("http://").split(":")
    request = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    slow = [socket.create_connection((host, int(port)), timeout=60) for _ in range(SLOW)]
    try:
        for one in slow:
            one.sendall(request)
        begun = time.monotonic()
        for one in slow:
            while one.recv(4096):
                pass  # to the end of the answer, but this side stays open
        assert httpx.get(f"{stack.url}/healthz", timeout=60).status_code == 200
        # Waited for one after the other they would take ten times this.
        assert time.monotonic() - begun < LINGER * SLOW / 2
    finally:
        for one in slow:
            one.close()
