"""How many deliveries are kept of a client's webhooks, whatever becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret, create_client
from app.db import transaction
from app.webhooks import trimming
from app.webhooks.trimming import Trimming
from tests.webhooks.hooked import Hooked

URL = "http://127.0.0.1:1/"


@pytest.fixture
def own(engine: Engine, client: ClientSecret) -> Iterator[list[Hooked]]:
    """Two webhooks of a client, and one of another's, with a few deliveries each."""
    other = create_client(engine, f"other {uuid4()}")
    made = [Hooked(engine, each, URL) for each in (client, client, other)]
    made[0].record(12)  # for both of the client's
    made[2].record(8)
    yield made
    for each in made:
        each.remove()


def ids(hooked: Hooked) -> list[UUID]:
    with hooked.engine.connect() as connection:
        found = connection.execute(
            text("SELECT id FROM webhook_deliveries WHERE webhook_id = :id ORDER BY id"),
            {"id": hooked.id},
        )
        return list(found.scalars())


def behind(hooked: list[Hooked]) -> Trimming:
    """One whose next webhooks are these."""
    made = Trimming()
    made._after = UUID(int=min(each.id for each in hooked).int - 1)
    return made


def test_the_newest_stay_an_equal_part_of_each(
    engine: Engine, own: list[Hooked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trimming, "MOST_OF_CLIENT", 10)
    # What has ended goes like what waits.
    own[0].run(
        "UPDATE webhook_deliveries SET status = 'DELIVERED', next_at = NULL, finished_at = now()"
        " WHERE true"
    )
    before = [ids(each) for each in own]
    with transaction(engine) as connection:
        assert behind(own).step(connection) == 14
    assert [ids(each) for each in own] == [before[0][-5:], before[1][-5:], before[2]]


def test_it_goes_round_some_at_a_time(
    engine: Engine, own: list[Hooked], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("MOST_OF_CLIENT", 10),
        ("WEBHOOKS_AT_ONCE", 1),
        ("DELIVERIES_AT_ONCE", 4),
    ):
        monkeypatch.setattr(trimming, name, value)
    way = behind(own)

    def step() -> int:
        with transaction(engine) as connection:
            return way.step(connection)

    assert [step() for _ in range(4)] == [4, 4, 0, 0]
    assert way._after is None, "from the beginning again"
    assert [len(ids(each)) for each in own] == [8, 8, 8]


def test_what_somebody_has_locked_is_passed_over(
    engine: Engine, own: list[Hooked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trimming, "MOST_OF_CLIENT", 0)
    with engine.connect() as another:
        another.execute(
            text("SELECT FROM webhook_deliveries WHERE webhook_id = :id FOR UPDATE"),
            {"id": own[0].id},
        )
        with transaction(engine) as connection:
            connection.execute(text("SET LOCAL lock_timeout = '3s'"))
            assert behind(own).step(connection) == 20
    assert [len(ids(each)) for each in own] == [12, 0, 0]
