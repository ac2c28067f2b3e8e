"""The release before knows `clients` only: what it does holds for keys, and the other way round."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import Engine, text

from app.clients.credentials import (
    ClientSecret,
    create_client,
    find_caller,
    hash_secret,
    revoke_client,
    rotate_client,
)
from app.clients.keys import create_key, list_keys, revoke_key
from app.core.ids import new_id
from app.db import make_engine
from app.db.migrations import upgrade
from tests.conftest import fresh_database

# To the letter as the release before has them (its app/db/statements/clients.py).
INSERT_CLIENT = """
    INSERT INTO clients (id, name, api_key, secret_hash, scopes)
    VALUES (:id, :name, :api_key, :secret_hash, :scopes)
"""
UPDATE_SECRET = """
    UPDATE clients SET secret_hash = :secret_hash WHERE id = :id AND revoked_at IS NULL
    RETURNING api_key, scopes
"""
REVOKE_CLIENT = "UPDATE clients SET revoked_at = now() WHERE id = :id AND revoked_at IS NULL"
FIND_CALLER = """
    SELECT id, name, api_key, scopes FROM clients
    WHERE secret_hash = :secret_hash AND revoked_at IS NULL
"""


def before(engine: Engine, statement: str, **values: object) -> None:
    """The release before does that."""
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def known_before(engine: Engine, secret: str) -> bool:
    """Whether the release before lets the secret in."""
    with engine.connect() as connection:
        found = connection.execute(text(FIND_CALLER), {"secret_hash": hash_secret(secret)})
        return found.one_or_none() is not None


def known(engine: Engine, secret: str) -> bool:
    with engine.connect() as connection:
        return find_caller(connection, secret) is not None


def made_before(engine: Engine, name: str, secret: str) -> UUID:
    client_id = new_id()
    before(
        engine,
        INSERT_CLIENT,
        id=client_id,
        name=name,
        api_key=f"blk_{client_id.hex}",
        secret_hash=hash_secret(secret),
        scopes=["batches.read"],
    )
    return client_id


def test_what_the_release_before_does_with_a_client(engine: Engine) -> None:
    first, second = f"bls_{uuid4()}", f"bls_{uuid4()}"
    client_id = made_before(engine, f"before {uuid4()}", first)
    [key] = list_keys(engine, client_id)
    assert (key.first, key.scopes) == (True, ("batches.read",))
    assert known(engine, first)
    before(engine, UPDATE_SECRET, id=client_id, secret_hash=hash_secret(second))
    assert [known(engine, secret) for secret in (first, second)] == [False, True]
    assert [one.key_id for one in list_keys(engine, client_id)] == [key.key_id], "it stays the key"
    before(engine, REVOKE_CLIENT, id=client_id)
    assert not known(engine, second)


def test_what_is_done_here_the_release_before_knows(engine: Engine, client: ClientSecret) -> None:
    assert known_before(engine, client.secret)
    new = rotate_client(engine, client.client_id)
    assert [known_before(engine, one.secret) for one in (client, new)] == [False, True]
    revoke_key(engine, client.key_id)
    assert not known_before(engine, new.secret)
    other = create_client(engine, f"other {uuid4()}")
    create_key(engine, other.client_id)
    revoke_client(engine, other.client_id)
    assert not known_before(engine, other.secret)


def test_clients_that_were_there_get_their_key(postgres_url: str) -> None:
    with fresh_database(postgres_url) as url:
        engine = make_engine(url, name="batchline-tests")
        upgrade(engine, "0011")
        names = ["shop", "shop", "shop", "till", "gone", "gone"]
        ids = [made_before(engine, name, f"bls_{place}") for place, name in enumerate(names)]
        before(engine, REVOKE_CLIENT, id=ids[4])
        upgrade(engine)
        assert [known(engine, f"bls_{place}") for place in range(6)] == [True] * 4 + [False, True]
        assert all(len(list_keys(engine, client_id)) == 1 for client_id in ids)
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT id, name FROM clients"))
            now = {row.id: row.name for row in rows}
        # The oldest keeps it; those made in one moment are told apart by their ids.
        shops = sorted(now[client_id] for client_id in ids[:3])
        assert shops[0] == "shop"
        assert shops[1:] == sorted(f"shop ({one})" for one in ids[:3] if now[one] != "shop")
        assert [now[one] for one in ids[3:]] == ["till", "gone", "gone"]
        engine.dispose()
