"""Claims: a client has few tries under way, over all processes, and everybody has a turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret, create_client, revoke_client
from app.db import transaction
from app.webhooks.claiming import (
    LEASE,
    MOST_OF_CLIENT,
    claim_due,
    end_revoked,
    is_any_due,
    release,
)
from app.webhooks.delivery_log import count_pending
from tests.conftest import engine_of_its_own
from tests.webhooks.hooked import Hooked

NOWHERE = "http://127.0.0.1:1/"


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    """An engine on a database of the test's own: nothing is due but what it makes so."""
    with engine_of_its_own(postgres_url) as engine:
        yield engine


def hooked(engine: Engine, deliveries: int, *, webhooks: int = 1) -> list[Hooked]:
    """A new client's webhooks, each with so many deliveries that are due."""
    client = create_client(engine, f"test {uuid4()}")
    made = [Hooked(engine, client, f"{NOWHERE}{number}") for number in range(webhooks)]
    made[0].record(deliveries)
    return made


def run(engine: Engine, statement: str, **named: Any) -> None:
    with transaction(engine) as connection:
        connection.execute(text(statement), named)


def test_a_client_has_few_under_way_whatever_the_number_of_its_webhooks(engine: Engine) -> None:
    hooked(engine, 2, webhooks=20)
    assert len(claim_due(engine, 100)) == MOST_OF_CLIENT
    assert claim_due(engine, 100) == [], "of another process neither"


def test_whoever_has_least_under_way_comes_first(engine: Engine) -> None:
    crowd = hooked(engine, 5, webhooks=10)
    others = [hooked(engine, 3)[0] for _ in range(3)]
    first = Counter(one.client_id for one in claim_due(engine, 4))
    assert first == Counter([crowd[0].client_id, *(one.client_id for one in others)])
    # A newcomer is before those that have one.
    late = hooked(engine, 1)[0]
    [next_] = claim_due(engine, 1)
    assert next_.client_id == late.client_id
    rest = Counter(one.client_id for one in claim_due(engine, 100))
    assert rest[crowd[0].client_id] == MOST_OF_CLIENT - 1
    assert [rest[one.client_id] for one in others] == [2, 2, 2]


def test_what_is_kept_in_reserve_is_for_clients_with_nothing_under_way(engine: Engine) -> None:
    hooked(engine, 10)
    assert len(claim_due(engine, 1)) == 1
    other = hooked(engine, 10)[0]
    assert [one.client_id for one in claim_due(engine, 8, of_client=1)] == [other.client_id]


def test_the_longest_due_of_a_client_comes_first(engine: Engine) -> None:
    [hook] = hooked(engine, 3)
    ids = sorted(entry.id for entry in hook.log())
    run(
        engine,
        "UPDATE webhook_deliveries SET next_at = now() - interval '1 hour' WHERE id = :id",
        id=ids[2],
    )
    assert [one.id for one in claim_due(engine, 1)] == [ids[2]]


def test_a_dead_processs_claims_end_by_themselves(engine: Engine) -> None:
    hooked(engine, MOST_OF_CLIENT)
    taken = {one.id for one in claim_due(engine, 100)}
    assert not claim_due(engine, 100)
    run(
        engine,
        "UPDATE webhook_deliveries SET claimed_until = claimed_until - make_interval(secs => :s)",
        s=LEASE,
    )
    assert {one.id for one in claim_due(engine, 100)} == taken


def test_what_is_given_back_is_due_at_once(engine: Engine) -> None:
    hooked(engine, 1)
    claimed = claim_due(engine, 100)
    with transaction(engine) as connection:
        release(connection, claimed)
    [again] = claim_due(engine, 100)
    assert again.id == claimed[0].id
    with transaction(engine) as connection:
        release(connection, claimed)
    assert claim_due(engine, 100) == [], "it is another's now"


def test_what_somebody_has_locked_holds_nothing_up(engine: Engine) -> None:
    [hook] = hooked(engine, 1)
    with transaction(engine) as connection:
        lock = text("SELECT FROM webhook_deliveries WHERE webhook_id = :id FOR UPDATE")
        connection.execute(lock, {"id": hook.id})
        assert claim_due(engine, 100) == []
    assert len(claim_due(engine, 100)) == 1


def test_nothing_of_a_revoked_client_is_sent(engine: Engine) -> None:
    """Neither what is due for the first time, nor a retry in line."""
    [hook] = hooked(engine, 2)
    hook.run(
        "UPDATE webhook_deliveries SET step = 1, attempts = 1, next_at = now() "
        f"WHERE id = '{hook.log()[0].id}'"
    )
    revoke_client(engine, hook.client_id)
    assert claim_due(engine, 100) == []
    with transaction(engine) as connection:
        assert not is_any_due(connection)
        assert count_pending(connection) == (0, 0.0), "nor is it late"
        assert end_revoked(connection) == 2
    assert {(entry.status, entry.error) for entry in hook.log()} == {
        ("FAILED", "the client has been revoked")
    }


def test_others_are_sent_beside_a_revoked_client(engine: Engine, client: ClientSecret) -> None:
    [gone] = hooked(engine, 2)
    revoke_client(engine, gone.client_id)
    other = Hooked(engine, client, NOWHERE)
    other.record()
    assert [one.webhook_id for one in claim_due(engine, 100)] == [other.id]
    with transaction(engine) as connection:
        end_revoked(connection)
    assert [entry.status for entry in other.log()] == ["PENDING"]


def test_a_long_backlog_is_not_read(engine: Engine) -> None:
    """What a claim reads grows with webhooks, not with what waits for one of them."""
    [hook] = hooked(engine, 1)
    run(
        engine,
        """
        INSERT INTO webhook_deliveries (id, webhook_id, event, body)
        SELECT gen_random_uuid(), :id, 'batch.finished', '{}' FROM generate_series(1, 20000)
        """,
        id=hook.id,
    )
    run(engine, "ANALYZE webhook_deliveries")
    other = hooked(engine, 1)[0]
    assert other.client_id in {one.client_id for one in claim_due(engine, 5)}
    assert read_blocks(engine) < 200


def read_blocks(engine: Engine) -> int:
    """Blocks of the deliveries and their indexes that one more claim reads."""

    def blocks() -> int:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_stat_clear_snapshot(), pg_stat_force_next_flush()"))
            connection.commit()
            found = connection.execute(
                text(
                    """
                    SELECT heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit
                    FROM pg_statio_user_tables WHERE relname = 'webhook_deliveries'
                    """
                )
            )
            return int(found.scalar_one())

    engine.dispose()  # a session tells its numbers when it ends
    before = blocks()
    claim_due(engine, 5)
    engine.dispose()
    return blocks() - before
