"""Connections are spread over the processes, which each see how many the others have."""

from __future__ import annotations

import socket
import time
from collections import Counter

import psutil
import pytest

from app.server.balance import Counts, Waiting
from tests.support.stack import Stack, wait_for


def test_who_has_more_leaves_one_to_others_and_only_for_a_moment() -> None:
    counts = Counts()
    counts.tell(1, 0)
    mine = Waiting(1, counts)
    assert not mine.begins(), "there is nobody else"
    counts.tell(2, 0)
    assert not mine.begins(), "nobody has less"
    counts.tell(1, 1)
    assert mine.begins()
    assert not mine.is_over()
    time.sleep(mine.left() or 0)
    assert mine.is_over()
    assert not mine.is_over()
    assert not mine.begins(), "the other did not take it"
    assert mine.begins(), "that was for one connection"
    counts.forget(2)
    mine = Waiting(1, counts)
    assert not mine.begins(), "the other has ended"


@pytest.mark.slow
def test_kept_connections_are_spread_over_the_processes(stack: Stack) -> None:
    guard = psutil.Process(stack.processes["web"].process.pid)
    host, port = stack.url.removeprefix("http://").split(":")
    kept = [socket.create_connection((host, int(port))) for _ in range(16)]
    ours = {one.getsockname()[1] for one in kept}

    def spread() -> list[int]:
        found: Counter[int] = Counter()
        for process in guard.children(recursive=True):
            for each in process.net_connections("tcp"):
                if each.raddr and each.raddr.port in ours:
                    found[process.pid] += 1
        return sorted(found.values()) if found.total() == len(ours) else []

    try:
        for one in kept:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
            assert one.recv(4096).startswith(b"HTTP/1.1 200")
        processes = sum(bool(p.net_connections()) for p in guard.children(recursive=True)) - 1
        wait_for(lambda: len(spread()) == processes, within=10)
        assert max(spread()) - min(spread()) <= 4, spread()
    finally:
        for one in kept:
            one.close()
