"""Keys of a client: what they may do, and until when."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event, text

from app.clients.checks import DEFAULT_SCOPES
from app.clients.credentials import (
    Caller,
    ClientSecret,
    create_client,
    find_caller,
    revoke_client,
    rotate_client,
)
from app.clients.keys import create_key, list_keys, revoke_key
from app.clients.recent_callers import RecentCallers
from app.core.errors import Invalid, NotFound
from tests.support.clock import Clock


def found(engine: Engine, secret: str) -> Caller | None:
    with engine.connect() as connection:
        return find_caller(connection, secret)


def set_key(engine: Engine, key: ClientSecret, column: str, value: str) -> None:
    """Write what only time would have, by Postgres' clock."""
    with engine.begin() as connection:
        connection.execute(
            text(f"UPDATE keys SET {column} = {value} WHERE id = :id"), {"id": key.key_id}
        )


def test_the_first_key_is_made_with_the_client(engine: Engine, client: ClientSecret) -> None:
    [key] = list_keys(engine, client.client_id)
    assert (key.key_id, key.api_key, key.scopes) == (client.key_id, client.api_key, DEFAULT_SCOPES)
    assert key.first
    assert (key.expires_at, key.revoked_at, key.networks, key.operations) == (None, None, (), ())


def test_a_key_is_what_it_was_made_as(engine: Engine, client: ClientSecret) -> None:
    made = create_key(
        engine,
        client.client_id,
        name="till 7",
        scopes=["batches.read", "admin", "batches.read"],
        expires=timedelta(days=90),
        networks=["192.0.2.0/24", "2001:db8::/32", "::ffff:198.51.100.7", "10.0.0.1"],
        operations=["catalog.*", "http.request"],
    )
    caller = found(engine, made.secret)
    assert caller is not None
    assert (caller.client_id, caller.key_id, caller.key_name) == (
        client.client_id,
        made.key_id,
        "till 7",
    )
    assert caller.api_key == made.api_key
    assert caller.scopes == {"batches.read", "admin"}
    assert caller.expires_at == made.expires_at is not None
    assert [str(network) for network in caller.networks] == [
        "192.0.2.0/24",
        "2001:db8::/32",
        "198.51.100.7/32",
        "10.0.0.1/32",
    ]
    assert caller.operations == ("catalog.*", "http.request")
    listed = list_keys(engine, client.client_id)
    assert [key.key_id for key in listed] == [client.key_id, made.key_id]
    assert made.secret not in repr(listed)


def test_without_a_scope_it_gets_all_but_admin(engine: Engine, client: ClientSecret) -> None:
    assert create_key(engine, client.client_id).scopes == DEFAULT_SCOPES
    assert "admin" not in DEFAULT_SCOPES


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"scopes": ["everything"]}, "/scopes"),
        ({"networks": ["10.0.0.0/8", "10.0.0.1/8"]}, "/networks/1"),
        ({"networks": ["shop.example"]}, "/networks/0"),
        ({"networks": ["::/0", "::ffff:0:0/90"]}, "/networks/1"),
        ({"networks": [f"10.0.0.{n}" for n in range(101)]}, "/networks"),
        ({"operations": [""]}, "/operations/0"),
        ({"operations": ["catalog .*"]}, "/operations/0"),
        ({"operations": ["x" * 256]}, "/operations/0"),
        ({"expires": timedelta()}, "/expires"),
        ({"name": " "}, "/name"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_kept(
    engine: Engine, client: ClientSecret, options: dict[str, object], pointer: str
) -> None:
    with pytest.raises(Invalid) as refused:
        create_key(engine, client.client_id, **options)  # type: ignore[arg-type]
    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert len(list_keys(engine, client.client_id)) == 1


def test_a_revoked_key_leaves_the_others(engine: Engine, client: ClientSecret) -> None:
    one, other = (create_key(engine, client.client_id) for _ in range(2))
    revoke_key(engine, one.key_id)
    assert found(engine, one.secret) is None
    assert found(engine, other.secret)
    assert found(engine, client.secret)
    with pytest.raises(NotFound):
        revoke_key(engine, one.key_id)
    revoke_key(engine, client.key_id)
    assert found(engine, client.secret) is None
    with pytest.raises(NotFound):
        rotate_client(engine, client.client_id)
    assert found(engine, other.secret)


def test_a_key_is_revoked_only_as_its_clients(engine: Engine, client: ClientSecret) -> None:
    stranger = create_client(engine, f"stranger {uuid4()}")
    with pytest.raises(NotFound):
        revoke_key(engine, client.key_id, client_id=stranger.client_id)
    assert found(engine, client.secret)
    revoke_key(engine, client.key_id, client_id=client.client_id)
    assert found(engine, client.secret) is None


def test_a_revoked_client_has_no_key(engine: Engine, client: ClientSecret) -> None:
    key = create_key(engine, client.client_id)
    revoke_client(engine, client.client_id)
    assert found(engine, key.secret) is None
    assert found(engine, client.secret) is None
    for refused in (create_key, rotate_client):
        with pytest.raises(NotFound):
            refused(engine, client.client_id)


def test_an_expired_key_is_none(engine: Engine, client: ClientSecret) -> None:
    key = create_key(engine, client.client_id, expires=timedelta(hours=1))
    assert found(engine, key.secret)
    set_key(engine, key, "expires_at", "clock_timestamp()")
    assert found(engine, key.secret) is None


def test_expiry_is_judged_at_each_use(engine: Engine, client: ClientSecret) -> None:
    """Not only when the key is asked for: one that is remembered ends at its moment, too."""
    clock = Clock()
    callers = RecentCallers(engine, clock=clock)
    key = create_key(engine, client.client_id, expires=timedelta(hours=1))
    set_key(engine, key, "expires_at", "clock_timestamp() + interval '0.5 s'")
    assert callers.find(key.secret)
    asked = Statements(engine)
    with asked:
        assert callers.find(key.secret), "remembered"
        assert asked.count == 0
        clock.forward(0.5)
        callers.find(key.secret)
        assert asked.count == 1, "no longer good as it was remembered"


def test_a_rotated_secret_goes_on_for_as_long_as_said(engine: Engine, client: ClientSecret) -> None:
    second = rotate_client(engine, client.client_id, overlap=timedelta(hours=1))
    assert (second.key_id, second.api_key) == (client.key_id, client.api_key)
    third = rotate_client(engine, client.client_id, overlap=timedelta(days=1))
    first, *others = (found(engine, each.secret) for each in (client, second, third))
    assert first is not None
    assert others == [first, first], "all three are the one key"
    with engine.connect() as connection:
        untils = connection.execute(
            text("SELECT until - now() FROM key_secrets WHERE key_id = :key ORDER BY until"),
            {"key": client.key_id},
        ).scalars()
        first_left, second_left, third_left = untils
    assert timedelta(minutes=59) < first_left <= timedelta(hours=1), "not the longer one's"
    assert timedelta(hours=23) < second_left <= timedelta(days=1)
    assert third_left is None
    last = rotate_client(engine, client.client_id)
    assert [bool(found(engine, each.secret)) for each in (client, second, third, last)] == [
        False,
        False,
        False,
        True,
    ]


def test_an_overlap_ends(engine: Engine, client: ClientSecret) -> None:
    new = rotate_client(engine, client.client_id, overlap=timedelta(hours=1))
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE key_secrets SET until = now() WHERE key_id = :key AND until IS NOT NULL"),
            {"key": client.key_id},
        )
    assert found(engine, client.secret) is None
    assert found(engine, new.secret)


class Statements:
    """How many statements `engine` carries out in the block."""

    def __init__(self, engine: Engine) -> None:
        self.count = 0
        self._engine = engine

    def __enter__(self) -> Statements:
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, *_: object) -> None:
        self.count += 1


def test_what_was_rotated_long_ago_is_not_kept(engine: Engine, client: ClientSecret) -> None:
    for _ in range(5):
        rotate_client(engine, client.client_id, overlap=timedelta(hours=1))
    with engine.begin() as connection:
        this = {"id": client.key_id}
        connection.execute(
            text("UPDATE key_secrets SET until = now() WHERE key_id = :id AND until IS NOT NULL"),
            this,
        )
        count = text("SELECT count(*) FROM key_secrets WHERE key_id = :id")
        assert connection.execute(count, this).scalar_one() == 6
    rotate_client(engine, client.client_id, overlap=timedelta(hours=1))
    with engine.connect() as connection:
        assert connection.execute(count, this).scalar_one() == 2


def test_keys_are_listed_in_pages(engine: Engine, client: ClientSecret) -> None:
    made = [client.key_id, *(create_key(engine, client.client_id).key_id for _ in range(4))]
    assert [one.key_id for one in list_keys(engine, client.client_id)] == made
    found, after = [], None
    while page := list_keys(engine, client.client_id, after=after, limit=2):
        assert len(page) <= 2
        found += [one.key_id for one in page]
        after = page[-1].place
    assert found == made


def test_a_stranger_costs_one_statement(engine: Engine) -> None:
    callers = RecentCallers(engine)
    with Statements(engine) as asked:
        assert callers.find("bls_nobodys") is None
    assert asked.count == 1
