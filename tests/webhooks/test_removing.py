"""A webhook is removed with its deliveries, however many, and nobody waits for that."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.audit.reading import AuditFilter, list_audit
from app.clients.credentials import ClientSecret
from app.core.errors import NotFound
from app.db import transaction
from app.webhooks import removing
from app.webhooks.recording import BATCH_FINISHED, wants
from app.webhooks.registering import get_webhook
from app.webhooks.removing import remove_webhook
from tests.support.stack import wait_for
from tests.webhooks.hooked import Hooked

URL = "http://127.0.0.1:1/"


@pytest.fixture
def hooked(engine: Engine, client: ClientSecret) -> Iterator[Hooked]:
    """A webhook with ten deliveries, which nobody sends."""
    made = Hooked(engine, client, URL)
    made.record(10)
    made.run("UPDATE webhook_deliveries SET next_at = now() + interval '1 day' WHERE true")
    yield made
    with transaction(engine) as connection:
        connection.execute(text("DELETE FROM webhooks WHERE id = :id"), {"id": made.id})


def deliveries(hooked: Hooked) -> int:
    with hooked.engine.connect() as connection:
        statement = text("SELECT count(*) FROM webhook_deliveries WHERE webhook_id = :id")
        return int(connection.execute(statement, {"id": hooked.id}).scalar_one())


def told(hooked: Hooked) -> list[str]:
    with hooked.engine.connect() as connection:
        found, _ = list_audit(connection, AuditFilter(hooked.client_id), limit=100)
    return [entry.action for entry in found if entry.action == "webhook.delete"]


@pytest.mark.parametrize("at_once", [3, 5, 10, 100])
def test_all_of_it_goes_and_nothing_else(
    engine: Engine,
    client: ClientSecret,
    hooked: Hooked,
    at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(removing, "AT_ONCE", at_once)
    other = Hooked(engine, client, URL)
    other.record(1)
    remove_webhook(engine, client.client_id, hooked.id)
    assert deliveries(hooked) == 0
    with engine.connect() as connection:
        with pytest.raises(NotFound):
            get_webhook(connection, client.client_id, hooked.id)
        assert get_webhook(connection, client.client_id, other.id).disabled_at is None
    assert deliveries(other) == 1
    assert told(hooked) == ["webhook.delete"]
    with pytest.raises(NotFound):
        remove_webhook(engine, client.client_id, hooked.id)
    other.remove()


def test_one_that_ended_in_the_middle_sends_nothing_and_is_removed_by_asking_again(
    engine: Engine, client: ClientSecret, hooked: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removing, "AT_ONCE", 4)
    remove_some, calls = removing._remove_some, []

    def break_off(*arguments: Any) -> bool:
        calls.append(1)
        if len(calls) == 2:
            raise ConnectionError
        return remove_some(*arguments)

    monkeypatch.setattr(removing, "_remove_some", break_off)
    with pytest.raises(ConnectionError):
        remove_webhook(engine, client.client_id, hooked.id)
    assert deliveries(hooked) == 6
    hooked.make_due()
    assert hooked.claim() == []
    with transaction(engine) as connection:
        assert wants(connection, client.client_id, BATCH_FINISHED) == []
        assert get_webhook(connection, client.client_id, hooked.id).disabled_reason
    remove_webhook(engine, client.client_id, hooked.id)
    assert deliveries(hooked) == 0
    assert told(hooked) == ["webhook.delete"]


@pytest.mark.timeout(60)
def test_whoever_ends_a_batch_does_not_wait_for_it(
    engine: Engine, client: ClientSecret, hooked: Hooked
) -> None:
    with ThreadPoolExecutor(1) as threads:
        with engine.begin() as busy:
            # As if it took long: what is to be removed is just being written.
            busy.execute(
                text("SELECT FROM webhook_deliveries WHERE webhook_id = :id FOR UPDATE"),
                {"id": hooked.id},
            )
            removed = threads.submit(remove_webhook, engine, client.client_id, hooked.id)
            wait_for(lambda: _waits(engine), within=30)
            with transaction(engine) as connection:
                connection.execute(text("SET LOCAL lock_timeout = '5s'"))
                wants(connection, client.client_id, BATCH_FINISHED)
            assert not removed.done()
        removed.result(30)
    assert deliveries(hooked) == 0


def _waits(engine: Engine) -> bool:
    """Whether a session waits for a row that is to be deleted."""
    with engine.connect() as connection:
        statement = text(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND query ~ 'DELETE')"
        )
        return bool(connection.execute(statement).scalar_one())
