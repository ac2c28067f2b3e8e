"""A client's name is its own."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from app.clients.credentials import create_client, list_clients, revoke_client
from app.clients.keys import find_client
from app.core.errors import Invalid, NotFound


def test_a_name_is_taken_once(engine: Engine) -> None:
    name = f"shop {uuid4()}"
    made = create_client(engine, name)
    with pytest.raises(Invalid, match="already") as refused:
        create_client(engine, name)
    assert [error.pointer for error in refused.value.errors] == ["/name"]
    assert [one.client_id for one in list_clients(engine) if one.name == name] == [made.client_id]


def test_a_revoked_client_leaves_its_name(engine: Engine) -> None:
    name = f"shop {uuid4()}"
    first = create_client(engine, name).client_id
    assert find_client(engine, name) == find_client(engine, str(first)) == first
    revoke_client(engine, first)
    assert find_client(engine, name) == first, "as long as no other has it"
    second = create_client(engine, name).client_id
    assert find_client(engine, name) == second
    assert find_client(engine, str(first)) == first


@pytest.mark.parametrize(
    "name", ["", " ", "a\x1b[2J", "a\nb", " a", "a ", "x" * 201, str(UUID(int=7))]
)
def test_what_is_no_name(engine: Engine, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        create_client(engine, name)
    assert [error.pointer for error in refused.value.errors] == ["/name"]


def test_who_is_not_there(engine: Engine) -> None:
    for asked in ("nobody of this name", str(uuid4()), "", "a\x00b", "\ud800"):
        with pytest.raises(NotFound):
            find_client(engine, asked)
