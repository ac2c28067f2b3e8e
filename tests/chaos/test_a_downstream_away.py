"""A system that `http.request` calls is switched off and on again, with real workers around it.

It is away for as long as two tries take, or for the `AWAY_SECONDS` of the environment.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from tests.conftest import TEST_HANDLERS
from tests.support.stack import Stack, running_stack, wait_for

REST = 15  # of `http.request`
AWAY = float(os.environ.get("AWAY_SECONDS", "0"))
pytestmark = [pytest.mark.long, pytest.mark.timeout(240 + AWAY)]


class Switched:
    """A server that can be switched off, so that connections are refused, and on again."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, float]] = []
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.on()

    def on(self) -> None:
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                seen.append((self.path, time.monotonic()))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def off(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@pytest.fixture
def switched() -> Iterator[Switched]:
    server = Switched()
    yield server
    server.off()


@pytest.fixture
def away_stack(
    own_settings: Settings, own_engine: Engine, switched: Switched, own_processes: None
) -> Iterator[Stack]:
    bases = f"main=http://127.0.0.1:{switched.port},other=http://127.0.0.1:{switched.port}"
    extra = {"HTTP_HANDLER_BASES": bases}
    with running_stack(own_settings, handlers=TEST_HANDLERS, extra=extra) as stack:
        yield stack


def opened(engine: Engine) -> Any:
    with engine.connect() as connection:
        return connection.execute(
            text("SELECT base, status FROM breakers WHERE status <> 'closed' ORDER BY base")
        ).all()


def test_a_system_that_is_away_costs_no_attempts(
    away_stack: Stack, own_engine: Engine, own_client: ClientSecret, switched: Switched
) -> None:
    switched.off()
    with away_stack.http(own_client) as http:
        items = [{"base": "main", "method": "GET", "path": f"/{n}"} for n in range(300)]
        submitted = http.post("/v1/batches", json={"operation": "http.request", "items": items})
        batch = submitted.raise_for_status().json()

        def waits() -> bool:
            return bool(http.get(f"/v1/batches/{batch['id']}").json()["waitingFor"] == "breaker")

        wait_for(waits, what=lambda: f"the breaker\n{opened(own_engine)}\n{away_stack.tail()}")
        assert [row.base for row in opened(own_engine)] == ["main"]
        tried = attempts(own_engine)
        # Twenty are needed, and each slot of the slow worker may have had one under way.
        assert 20 <= sum(tried.values()) <= 20 + slots(own_engine)
        # It stays so over a try, which costs nothing, and over as many as there are.
        began, tries = time.monotonic(), 0
        while tries < 1 or time.monotonic() - began < AWAY:
            one_more_try(own_engine)
            tries += 1
            assert attempts(own_engine) == tried
        # One item an interval, no more.
        assert tries <= (time.monotonic() - began) / REST + 1
        wait_for(waits)

        switched.on()
        back = time.monotonic()
        wait_for(lambda: len(switched.seen) > 1, within=REST + 30)
        ended = away_stack.finished(http, batch["id"])
    assert ended["status"] == "SUCCESS"
    assert opened(own_engine) == []
    assert max(Counter(path for path, _ in switched.seen).values()) == 1
    # The one that tried, and then all the others.
    assert switched.seen[0][1] - back <= REST + 1
    assert switched.seen[1][1] - back <= REST + 2


def attempts(engine: Engine) -> dict[int, int]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT index AS number, attempts FROM items WHERE attempts > 0")
        )
        return {int(row.number): int(row.attempts) for row in rows}


def next_try(engine: Engine) -> datetime | None:
    with engine.connect() as connection:
        query = "SELECT probe_at FROM breakers WHERE status <> 'closed'"
        found: datetime | None = connection.execute(text(query)).scalar_one()
        return found


def one_more_try(engine: Engine) -> None:
    last = next_try(engine)
    wait_for(lambda: next_try(engine) not in (last, None), within=REST + 30)


def slots(engine: Engine) -> int:
    with engine.connect() as connection:
        query = "SELECT sum(slots) FROM workers WHERE queue = 'slow'"
        return int(connection.execute(text(query)).scalar_one())
