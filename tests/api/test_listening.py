"""The web process on sockets of other kinds than usual, and whom it takes a caller for there."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.clients.keys import create_key
from app.core.settings import Settings
from tests.support.stack import ROOT, environ_of

INSIDE = "192.0.2.7"


@contextmanager
def web(settings: Settings, listening: socket.socket, log: Path, proxies: str) -> Iterator[None]:
    """A web process that was handed that socket, as `batchline serve` hands one down."""
    environ = {
        **environ_of(settings, 0, ""),
        "BATCHLINE_WEB_FD": str(listening.fileno()),
        "FORWARDED_ALLOW_IPS": proxies,
        "WEB_WORKERS": "1",
        "LOG_FORMAT": "json",
    }
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    command = [gunicorn, "--config", "python:app.server.gunicorn", "app.server.wsgi:create_app()"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ,
            pass_fds=[listening.fileno()],
            stderr=output,
            stdout=output,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def over_unix(folder: Path) -> tuple[socket.socket, httpx.Client]:
    """A socket of this machine only, and a client of it."""
    path = str(folder / "web")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(path)
    transport = httpx.HTTPTransport(uds=path)
    return listening, httpx.Client(base_url="http://batchline", transport=transport, timeout=30)


def over_both(_: Path) -> tuple[socket.socket, httpx.Client]:
    """A socket of IPv6 that takes IPv4 too, and a client of it by IPv4."""
    listening = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listening.bind(("::", 0))
    return listening, httpx.Client(
        base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30
    )


@pytest.mark.slow
@pytest.mark.usefixtures("own_processes")
@pytest.mark.parametrize(
    ("make", "proxies", "address", "through_a_proxy"),
    [
        (over_unix, "", None, None),
        (over_unix, "127.0.0.1", None, INSIDE),
        (over_both, "127.0.0.0/8", "127.0.0.1", INSIDE),
    ],
)
def test_whom_a_caller_is_taken_for(
    settings: Settings,
    engine: Engine,
    client: ClientSecret,
    tmp_path: Path,
    make: Callable[[Path], tuple[socket.socket, httpx.Client]],
    proxies: str,
    address: str | None,
    through_a_proxy: str | None,
) -> None:
    key = create_key(engine, client.client_id, networks=[INSIDE])
    right = {"Authorization": f"Bearer {key.secret}"}
    log = tmp_path / "log"
    listening, http = make(tmp_path)
    with listening, http:
        listening.listen()
        with web(settings, listening, log, proxies):
            # The socket listens already: the first answer comes once the process takes it.
            direct = http.get("/v1/me", headers=right)
            told = http.get("/v1/me", headers={**right, "X-Forwarded-For": INSIDE})
    assert direct.status_code == 401
    assert told.status_code == (200 if through_a_proxy == INSIDE else 401)
    lines = {line["requestId"]: line for line in _answered(log)}
    assert lines[direct.headers["X-Request-Id"]]["address"] == address
    assert lines[told.headers["X-Request-Id"]]["address"] == through_a_proxy


def _answered(log: Path) -> Iterator[dict[str, str]]:
    for line in log.read_text().splitlines():
        with suppress(ValueError):
            found = json.loads(line)
            if found.get("event") == "request.answered":
                yield found
