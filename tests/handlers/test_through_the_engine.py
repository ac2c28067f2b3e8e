"""Operations whose items meet: across slices, waves, batches and workers."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from handlers import Registry
from handlers.shipped.http_request.handler import offer
from tests.handlers.calling import HandlerContext
from tests.handlers.downstream import downstream, hang_up
from tests.handlers.driving import Driver, Ended, driver
from tests.handlers.test_category import missing, named, stored
from tests.handlers.test_loyalty import check_books, transfer


@pytest.fixture
def small(settings: Settings) -> Settings:
    """Settings with slices so small that a few dozen items need many of them."""
    return replace(settings, max_slice_items=10)


@pytest.fixture
def run(engine: Engine, small: Settings, registry: Registry) -> Iterator[Driver]:
    with driver(engine, small, registry) as driving:
        yield driving


@pytest.mark.parametrize("order", ["parents first", "children first", "shuffled"])
def test_a_chain_of_categories_over_many_slices(
    run: Driver, client: ClientSecret, engine: Engine, order: str
) -> None:
    depth = 120
    chain = [named("0")] + [named(str(n), str(n - 1)) for n in range(1, depth)]
    if order == "children first":
        chain.reverse()
    elif order == "shuffled":
        random.Random(7).shuffle(chain)
    items = run.run(client.client_id, "catalog.category", chain)
    assert Counter(item.status for item in items) == {"SUCCESS": depth}
    # However often an item had to wait, it was tried once.
    assert {item.attempts for item in items} == {1}
    assert len({item.result["entityId"] for item in items}) == depth
    with engine.connect() as connection:
        forest = stored(HandlerContext(connection, client.client_id))
    assert forest == {"0": None} | {str(n): str(n - 1) for n in range(1, depth)}


def test_missing_failed_and_circling_parents_end_404(run: Driver, client: ClientSecret) -> None:
    good = [named(f"good{n}", f"good{n + 1}" if n < 30 else None) for n in range(31)]
    bad = [
        named("orphan", "missing"),
        named("orphan's child", "orphan"),
        named("round", "and round"),
        named("and round", "round"),
        named("self", "self"),
        {"categoryRef": "invalid"},
        named("invalid's child", "invalid"),
    ]
    mixed = [*bad[:4], *good[:15], *bad[4:], *good[15:]]
    items = {item.key: item for item in run.run(client.client_id, "catalog.category", mixed)}
    assert {items[f"good{n}"].status for n in range(31)} == {"SUCCESS"}
    failed = {
        key: (item.code, item.message) for key, item in items.items() if item.status == "FAILED"
    }
    assert failed == {
        "orphan": missing("missing"),
        "orphan's child": missing("orphan"),
        "round": missing("and round"),
        "and round": missing("round"),
        "self": missing("self"),
        "invalid's child": missing("invalid"),
    }
    assert items["invalid"].status == "INVALID"


def test_categories_moved_by_batches_at_once_stay_a_forest(
    run: Driver, client: ClientSecret, engine: Engine
) -> None:
    refs = [f"C{n}" for n in range(12)]
    run.run(client.client_id, "catalog.category", map(named, refs))

    def shuffle(seed: int) -> list[Ended]:
        dice = random.Random(seed)
        moves = [named(ref, dice.choice(refs)) for ref in dice.sample(refs, 8)]
        return run.run(client.client_id, "catalog.category", moves)

    with ThreadPoolExecutor(4) as threads:
        ended = [item for items in threads.map(shuffle, range(24)) for item in items]
    kinds = Counter((item.status, item.code) for item in ended)
    assert set(kinds) == {("SUCCESS", None), ("FAILED", 404)}
    with engine.connect() as connection:
        forest = stored(HandlerContext(connection, client.client_id))
    for ref in forest:
        above = [ref]
        while (parent := forest[above[-1]]) is not None:
            assert parent not in above, "a circle"
            above.append(parent)


def test_a_players_items_run_in_order_and_no_batch_overdraws(
    run: Driver, client: ClientSecret, engine: Engine
) -> None:
    players = [f"P{n}" for n in range(5)]

    def ins_and_outs(number: int) -> list[Ended]:
        """Each batch brings each player 10 and then asks for 12, a piece at a time."""
        ins = [transfer(player, f"{number} in {player}", 10) for player in players]
        outs = [transfer(p, f"{number} out {p} {n}", "1.2") for n in range(10) for p in players]
        return [
            *run.run(client.client_id, "loyalty.cashback", ins),
            *run.run(client.client_id, "loyalty.redeem", outs),
        ]

    with ThreadPoolExecutor(4) as threads:
        ended = [item for items in threads.map(ins_and_outs, range(4)) for item in items]
    assert Counter((item.status, item.code) for item in ended if item.code != 422) == {
        ("SUCCESS", None): 20 + 33 * 5
    }
    with engine.connect() as connection:
        # 40 came in for each, and 33 pieces of 1.2 went out: there was no room for another.
        assert check_books(connection, client.client_id) == dict.fromkeys(players, Decimal("0.4"))


def test_the_same_batches_at_once_count_once(
    run: Driver, client: ClientSecret, engine: Engine
) -> None:
    items = [transfer(f"P{n % 7}", f"T{n}", n + 1) for n in range(60)]
    begin = threading.Barrier(3)

    def submit(_: int) -> list[Ended]:
        begin.wait(10)
        return run.run(client.client_id, "loyalty.cashback", items)

    with ThreadPoolExecutor(3) as threads:
        ended = [item for rows in threads.map(submit, range(3)) for item in rows]
    assert {item.status for item in ended} == {"SUCCESS"}
    assert Counter(item.result["duplicate"] for item in ended) == {False: 60, True: 120}
    with engine.connect() as connection:
        balances = check_books(connection, client.client_id)
    assert sum(balances.values()) == sum(range(1, 61))


def test_transaction_ids_that_cross_over_between_batches_are_sorted_out(
    run: Driver, client: ClientSecret, engine: Engine
) -> None:
    """The same ids for other players, in the opposite order: whoever is second gets 409."""
    ids = [f"T{n}" for n in range(40)]
    begin = threading.Barrier(2)

    def submit(name: str) -> list[Ended]:
        order = ids if name == "first" else ids[::-1]
        items = [transfer(f"{name} {n % 4}", transaction, 1) for n, transaction in enumerate(order)]
        begin.wait(10)
        return run.run(client.client_id, "loyalty.cashback", items)

    with ThreadPoolExecutor(2) as threads:
        ended = [item for rows in threads.map(submit, ["first", "second"]) for item in rows]
    assert Counter((item.status, item.code) for item in ended) == {
        ("SUCCESS", None): 40,
        ("FAILED", 409): 40,
    }
    with engine.connect() as connection:
        assert sum(check_books(connection, client.client_id).values()) == 40


def test_requests_are_tried_again_with_the_same_key(
    engine: Engine, settings: Settings, client: ClientSecret
) -> None:
    registry = Registry()
    keys: list[tuple[str, str]] = []

    def busy_once(handler: Any) -> None:
        target, key = handler.path, handler.headers["Idempotency-Key"]
        keys.append((target, key))
        first = keys.count((target, key)) == 1
        handler.send(429 if first else 200, b"", Retry_After="0")

    with downstream() as server, driver(engine, settings, registry) as run:
        offer(registry, {"main": server.url})
        for n in range(4):
            server.answers[f"/{n}"] = busy_once
        items = run.run(
            client.client_id,
            "http.request",
            [
                *({"method": "POST", "path": f"/{n}", "key": "same"} for n in range(4)),
                {"method": "GET", "path": "/drops/../x"},
            ],
        )
        operation = registry.get("http.request")
        assert operation is not None
        hang_up(operation)
    assert [(item.status, item.attempts) for item in items[:4]] == [("SUCCESS", 2)] * 4
    assert items[0].result == {"status": 200, "body": None, "truncated": False}
    assert items[4].status == "INVALID"
    # Each twice with one key, and those of one record in their order.
    batch_id = UUID(keys[0][1].split(":")[0])
    assert keys == [(f"/{n}", f"{batch_id}:{n}") for n in range(4) for _ in range(2)]
