"""Credentials are kept for a second, and no longer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event

from app.clients.credentials import ClientSecret, create_client, revoke_client, rotate_client
from app.clients.keys import revoke_key
from app.clients.recent_callers import RecentCallers
from tests.support.clock import Clock
from tests.support.stack import Stack, wait_for


class Asked:
    """How often `engine` was asked for a client."""

    def __init__(self, engine: Engine) -> None:
        self.count = 0
        event.listen(engine, "before_cursor_execute", self._note)
        self._engine = engine

    def close(self) -> None:
        """Count no more."""
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, *arguments: object) -> None:
        self.count += "FROM key_secrets" in str(arguments[2])


@pytest.fixture
def asked(engine: Engine) -> Iterator[Asked]:
    """From here on."""
    asked = Asked(engine)
    yield asked
    asked.close()


def test_a_caller_is_asked_for_once_a_second(
    engine: Engine, client: ClientSecret, asked: Asked
) -> None:
    clock = Clock()
    callers = RecentCallers(engine, clock=clock)
    for _ in range(3):
        found = callers.find(client.secret)
        assert found is not None
        assert found.client_id == client.client_id
        clock.forward(0.4)
    assert asked.count == 1
    assert callers.find(client.secret) == found
    assert asked.count == 2


def test_whoever_was_revoked_is_known_for_no_longer(engine: Engine, client: ClientSecret) -> None:
    clock = Clock()
    callers = RecentCallers(engine, clock=clock)
    assert callers.find(client.secret)
    revoke_client(engine, client.client_id)
    clock.forward(0.999)
    assert callers.find(client.secret), "for at most a second"
    clock.forward(0.001)
    assert callers.find(client.secret) is None


def test_a_rotated_secret_too_and_the_new_one_is_known_at_once(
    engine: Engine, client: ClientSecret
) -> None:
    clock = Clock()
    callers = RecentCallers(engine, clock=clock)
    assert callers.find(client.secret)
    new = rotate_client(engine, client.client_id)
    assert callers.find(new.secret)
    clock.forward(1)
    assert callers.find(client.secret) is None
    assert callers.find(new.secret)


def test_the_second_begins_when_it_is_asked_for(engine: Engine, client: ClientSecret) -> None:
    """An answer that was long on its way is as old as the question."""
    clock = Clock()
    callers = RecentCallers(engine, clock=clock)

    def take_long(*_: object) -> None:
        clock.forward(0.9)

    event.listen(engine, "after_cursor_execute", take_long)
    try:
        assert callers.find(client.secret)
    finally:
        event.remove(engine, "after_cursor_execute", take_long)
    revoke_client(engine, client.client_id)
    clock.forward(0.1)
    assert callers.find(client.secret) is None


def test_nobody_fills_the_memory(engine: Engine, asked: Asked) -> None:
    callers = RecentCallers(engine, clock=Clock(), most=2)
    for number in range(100):
        assert callers.find(f"guessed {number}") is None
    assert callers._known == {}
    made = [create_client(engine, f"one of three {number} {uuid4()}") for number in range(3)]
    before = asked.count
    for client in made:
        assert callers.find(client.secret)
    assert len(callers._known) == 2
    assert callers.find(made[2].secret)
    assert asked.count == before + 3
    assert callers.find(made[0].secret)
    assert asked.count == before + 4, "the oldest had given way"


def test_both_credentials_must_belong_together(engine: Engine, client: ClientSecret) -> None:
    callers = RecentCallers(engine, clock=Clock())
    for _ in range(2):  # asked for, and then remembered
        assert callers.find(client.secret, api_key=client.api_key)
        assert callers.find(client.secret, api_key="another") is None
        assert callers.find(client.secret, api_key="\udce9") is None


def _end_key(engine: Engine, client: ClientSecret) -> None:
    revoke_key(engine, client.key_id)


def _end_client(engine: Engine, client: ClientSecret) -> None:
    revoke_client(engine, client.client_id)


def _rotate(engine: Engine, client: ClientSecret) -> None:
    rotate_client(engine, client.client_id)


@pytest.mark.parametrize("end", [_end_client, _end_key, _rotate])
def test_a_running_process_knows_within_a_second(
    stack: Stack,
    engine: Engine,
    client: ClientSecret,
    end: Callable[[Engine, ClientSecret], None],
) -> None:
    with stack.http(client) as http:
        assert http.get("/v1/limits").status_code == 200
        end(engine, client)
        revoked = time.monotonic()
        answers = []

        def refused() -> bool:
            asked_at = time.monotonic()
            answers.append((asked_at, http.get("/v1/limits").status_code))
            return answers[-1][1] == 401

        wait_for(refused, within=10)
    late = [status for asked_at, status in answers if asked_at >= revoked + 1]
    assert late in ([], [401]), "what was asked a second later is refused"
