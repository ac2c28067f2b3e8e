"""The worker that tries whether a system is back is killed while it does."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from tests.conftest import TEST_HANDLERS
from tests.support.stack import Stack, running_stack, wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]


class Moody:
    """A server that fails, hangs, or answers, as it is told."""

    def __init__(self) -> None:
        moody = self
        self.mood = "fails"
        self.asked = 0
        self.closing = Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                moody.asked += 1
                if moody.mood == "hangs":
                    moody.closing.wait(60)
                    return
                self.send_response(200 if moody.mood == "answers" else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def moody() -> Iterator[Moody]:
    server = Moody()
    yield server
    server.close()


@pytest.fixture
def moody_stack(
    own_settings: Settings, own_engine: Engine, moody: Moody, own_processes: None
) -> Iterator[Stack]:
    extra = {"HTTP_HANDLER_BASES": f"main=http://127.0.0.1:{moody.server.server_address[1]}"}
    with running_stack(own_settings, handlers=TEST_HANDLERS, extra=extra) as stack:
        yield stack


def test_another_tries(
    moody_stack: Stack, own_engine: Engine, own_client: ClientSecret, moody: Moody
) -> None:
    items = [{"method": "GET", "path": f"/{number}"} for number in range(100)]
    with moody_stack.http(own_client) as http:
        asked = {"operation": "http.request", "items": items}
        batch = http.post("/v1/batches", json=asked).raise_for_status().json()
        path = f"/v1/batches/{batch['id']}"
        # Then all that was under way has been written.
        wait_for(lambda: http.get(path).json()["waitingFor"] == "breaker", what=moody_stack.tail)
        before = attempts(own_engine)
        moody.mood = "hangs"
        with own_engine.begin() as connection:
            connection.execute(text("UPDATE breakers SET probe_at = now()"))
        wait_for(lambda: status(own_engine) == "probing", what=moody_stack.tail)
        moody.mood = "answers"
        with own_engine.connect() as connection:
            query = "SELECT pid FROM workers w JOIN breakers b ON b.probe_worker = w.id"
            pid = connection.execute(text(query)).scalar_one()
        os.kill(int(pid), signal.SIGKILL)
        moody_stack.start("slow")
        ended = moody_stack.finished(http, batch["id"], within=90)
        assert ended["status"] == "SUCCESS", ended
        assert status(own_engine) == "closed"
        # The one that was being tried has lost one, as any does whose worker dies.
        died = sum(attempts(own_engine).values()) - 100 - sum(before.values())
        assert 0 <= died <= 1


def status(engine: Engine) -> str | None:
    with engine.connect() as connection:
        found: str | None = connection.execute(text("SELECT status FROM breakers")).scalar()
        return found


def attempts(engine: Engine) -> dict[int, int]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT index AS number, attempts FROM items"))
        return {int(row.number): int(row.attempts) for row in rows}
