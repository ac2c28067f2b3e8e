"""What a request asks of Postgres: messages on the wire, each of which waits for its answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import make_url

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from app.web.services import EXTENSION
from tests.api.conftest import ITEM, Caller
from tests.support.application import application
from tests.support.breaking import BreakingProxy, breaking
from tests.support.clock import Clock


@dataclass
class Wire:
    """A caller whose application reaches Postgres by a proxy that notes what is sent."""

    api: Caller
    proxy: BreakingProxy
    clock: Clock

    def count(self, method: str, path: str, **options: object) -> int:
        """How many messages that request takes."""
        before = len(self.proxy.requests)
        answer = self.api.send(method, path, **options)  # type: ignore[arg-type]
        assert answer.status_code < 300, answer.text
        return len(self.proxy.requests) - before


@pytest.fixture(scope="module")
def through(settings: Settings) -> Iterator[tuple[Settings, BreakingProxy]]:
    url = make_url(settings.database_url or "")
    with breaking(f"http://{url.host}:{url.port}") as proxy:
        port = int(proxy.url.rpartition(":")[2])
        there = url.set(host="127.0.0.1", port=port, query={"sslmode": "disable"})
        yield (
            replace(settings, database_url=there.render_as_string(hide_password=False)),
            proxy,
        )


@pytest.fixture
def wire(
    through: tuple[Settings, BreakingProxy], client: ClientSecret, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Wire]:
    settings, proxy = through
    with application(settings) as app:
        clock = Clock()
        monkeypatch.setattr(app.extensions[EXTENSION].callers, "_clock", clock)
        api = Caller(app, client)
        # It is connected, knows the caller, and has said which operations it has.
        api.opened()
        yield Wire(api, proxy, clock)


def test_reading_takes_one(wire: Wire) -> None:
    batch = f"/v1/batches/{wire.api.opened([ITEM])}"
    for path in (batch, "/v1/batches", "/v1/batches?limit=1"):
        assert wire.count("GET", path) == 1, path
    # Whose batch it is, and then its items.
    assert wire.count("GET", f"{batch}/items") == 2
    assert wire.count("GET", f"{batch}/items/0") == 2
    wire.clock.forward(1)
    assert wire.count("GET", batch) == 2, "who calls is asked for once a second"


@pytest.mark.parametrize("items", [1, 10, 200])
def test_submitting_takes_one(wire: Wire, items: int) -> None:
    body = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM] * items}
    assert wire.count("POST", "/v1/batches", json=body) <= 1 + items // 100, "a long one has parts"
    key = {"Idempotency-Key": f"round trips {items}"}
    # The key is claimed; then BEGIN, the batch, the answer, and COMMIT.
    most = 5 + items // 100
    assert wire.count("POST", "/v1/batches", json=body, headers=key) <= most
