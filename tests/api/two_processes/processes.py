"""The processes that answer on one port, and connections to one of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import psutil

from app.clients.credentials import ClientSecret
from tests.support.stack import Stack


def answers(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.url}/healthz", timeout=5).is_success
    except httpx.HTTPError:
        return False


def processes(stack: Stack) -> list[psutil.Process]:
    """Those that answer: the children of gunicorn's own."""
    guard = psutil.Process(stack.processes["web"].process.pid)
    return [worker for arbiter in guard.children() for worker in arbiter.children()]


@contextmanager
def only(stack: Stack, chosen: psutil.Process) -> Iterator[None]:
    """Connections that are made meanwhile are taken by `chosen`: the other one is held."""
    others = [process for process in processes(stack) if process != chosen]
    for process in others:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in others:
            process.send_signal(signal.SIGCONT)


@contextmanager
def connected(stack: Stack, chosen: psutil.Process, client: ClientSecret) -> Iterator[httpx.Client]:
    """One connection, kept alive, to that process."""
    limits = httpx.Limits(max_connections=1, keepalive_expiry=600)
    with stack.http(client, timeout=90, limits=limits) as http:
        with only(stack, chosen):
            assert http.get("/v1/batches?limit=1").status_code == 200
        assert len(held_by(stack, chosen)) >= 1
        yield http


def held_by(stack: Stack, process: psutil.Process) -> list[int]:
    """The ports of the connections that the process has taken."""
    port = urlsplit(stack.url).port
    return [
        connection.raddr.port
        for connection in process.net_connections("tcp")
        if connection.raddr and connection.laddr.port == port
    ]
