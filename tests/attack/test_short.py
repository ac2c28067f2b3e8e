"""The short form, a part of the gate: every attack with a tenth of its force.

What it does to others' times is left to `make attack` on a machine that does nothing else; here
nobody else may see an error, and memory may not grow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client
from app.core.settings import Settings
from tests.attack import __main__ as command
from tests.attack.kinds import Attack, Row, Target, all_attacks, without_quotas
from tests.attack.measuring import tried
from tests.attack.stacks import attacked_stack

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def test_nobody_else_sees_an_error(
    own_settings: Settings, own_engine: Engine, own_client: ClientSecret, own_processes: None
) -> None:
    """On a database of its own: deliveries are made by workers that may not go inside."""
    other = create_client(own_engine, f"beside {own_client.client_id}")
    without_quotas(own_engine, own_settings, own_client)
    with attacked_stack(own_settings) as stack:
        target = Target(stack, own_client, other, short=True)
        rows = [tried(attack, target, timed=False) for attack in all_attacks().values()]
    assert all(row.held for row in rows), command.table(rows)


def test_what_an_attack_finds_wrong_is_in_its_row(
    stack: object, settings: Settings, engine: Engine, client: ClientSecret
) -> None:
    @contextmanager
    def finds() -> Iterator[None]:
        raise AssertionError("it gave way")
        yield

    other = create_client(engine, f"beside it {client.client_id}")
    attack = Attack("made up", "nothing", lambda _: finds(), seconds=1)
    row = tried(attack, Target(stack, client, other), timed=False)  # type: ignore[arg-type]
    assert row.wrong == ["it gave way"]
    assert "NOT HELD: it gave way" in command.table([row])
    assert Row("a", "b", 0.01, 0.02, 1, []).held
