"""Movements of stock, on the package's own tables."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from shop.migrations import upgrade
from shop.stock import move
from sqlalchemy import Connection, Engine, text

from batchline.testing import run_items

ALL = text("SELECT sku, warehouse, pieces FROM shop.stock ORDER BY sku, warehouse")


def movement(change: Any, sku: str = "A1", warehouse: str = "north") -> dict[str, Any]:
    return {"sku": sku, "warehouse": warehouse, "change": change}


def test_movements_of_a_place_are_made_in_order(connection: Connection) -> None:
    items = [movement(5), movement(-3), movement(7, "B2"), movement(-2)]
    results = run_items(move, items, connection=connection)
    assert [one.result for one in results] == [
        {"pieces": 5}, {"pieces": 2}, {"pieces": 7}, {"pieces": 0},
    ]  # fmt: skip
    assert [one.key for one in results] == ["A1:north", "A1:north", "B2:north", "A1:north"]
    assert connection.execute(ALL).all() == [("A1", "north", 0), ("B2", "north", 7)]


def test_what_is_not_there_cannot_leave(connection: Connection) -> None:
    first, second = run_items(move, [movement(3), movement(-4)], connection=connection)
    assert first.status == "SUCCESS"
    assert (second.status, second.code, second.message) == ("FAILED", 409, "There are only 3")
    assert connection.execute(ALL).all() == [("A1", "north", 3)]


def test_a_change_must_be_a_whole_number(connection: Connection) -> None:
    half, text_, huge = run_items(
        move, [movement(0.5), movement("5"), movement(10**10)], connection=connection
    )
    assert (half.status, half.message) == ("INVALID", "change: Must be a whole number.")
    assert text_.status == "SUCCESS"
    assert huge.status == "INVALID"


def test_clients_have_stocks_of_their_own(connection: Connection) -> None:
    for client in (uuid4(), uuid4()):
        [result] = run_items(move, [movement(1)], connection=connection, client_id=client)
        assert result.result == {"pieces": 1}


def test_the_tables_are_made_once(engine: Engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        version = text("SELECT version_num FROM shop.schema_version")
        assert connection.execute(version).scalars().all() == ["0001"]
