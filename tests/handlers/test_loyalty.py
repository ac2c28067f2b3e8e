"""The loyalty ledger: exact, each transaction once, never below nothing, whoever comes at once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.db import is_retryable, transaction
from handlers import Outcome, Reject
from handlers.contract import Answer
from tests.handlers.calling import HandlerContext, call, operation, summed


def transfer(player: str, transaction_id: str, amount: Any) -> dict[str, Any]:
    return {"playerUniqueId": player, "transactionId": transaction_id, "amount": amount}


def done(
    player: str, transaction_id: str, amount: str, balance: str, *, duplicate: bool = False
) -> dict[str, Any]:
    return {
        "playerUniqueId": player,
        "transactionId": transaction_id,
        "amount": amount,
        "balance": balance,
        "duplicate": duplicate,
    }


def check_books(connection: Connection, client_id: UUID) -> dict[str, Decimal]:
    """The balances of a client's players, once wallets, entries and records were compared."""
    entries = connection.execute(
        text(
            """
            SELECT player, number, change, balance FROM ledger_entries
            WHERE client_id = :client ORDER BY player, number
            """
        ),
        {"client": client_id},
    ).all()
    balances: dict[str, Decimal] = {}
    counts: dict[str, int] = {}
    for entry in entries:
        balances[entry.player] = balances.get(entry.player, Decimal(0)) + entry.change
        counts[entry.player] = counts.get(entry.player, 0) + 1
        assert entry.number == counts[entry.player]
        assert entry.balance == balances[entry.player] >= 0
    wallets = connection.execute(
        text("SELECT player, balance, entries FROM wallets WHERE client_id = :client"),
        {"client": client_id},
    ).all()
    assert {row.player: row.balance for row in wallets if row.entries} == balances
    assert {row.player: row.entries for row in wallets if row.entries} == counts
    assert all(row.balance == 0 for row in wallets if not row.entries)
    records = HandlerContext(connection, client_id).records.page("wallet", limit=1000)
    assert {record.key: record.data for record in records} == {
        player: {"balance": f"{balance:.4f}", "entries": counts[player]}
        for player, balance in balances.items()
    }
    assert {record.key: record.version for record in records} == counts
    return balances


def test_in_and_out(context: HandlerContext) -> None:
    assert summed(call(context, "loyalty.cashback", transfer("P1", "T1", 10.3))) == [
        done("P1", "T1", "10.3000", "10.3000")
    ]
    assert summed(call(context, "loyalty.cashback", transfer("P1", "T2", "2.7001"))) == [
        done("P1", "T2", "2.7001", "13.0001")
    ]
    assert summed(call(context, "loyalty.redeem", transfer("P1", "T3", "0.7001"))) == [
        done("P1", "T3", "0.7001", "12.3000")
    ]
    assert summed(call(context, "loyalty.balance", {"playerUniqueId": "P1"})) == [
        {"playerUniqueId": "P1", "balance": "12.3000"}
    ]
    record = context.records.one("wallet", "P1")
    assert record is not None
    assert (record.data, record.version) == ({"balance": "12.3000", "entries": 3}, 3)
    check_books(context.connection, context.client_id)


def test_tenths_stay_tenths(context: HandlerContext) -> None:
    for number in range(30):
        call(context, "loyalty.cashback", transfer("P1", f"T{number}", 0.1))
    (answer,) = call(context, "loyalty.redeem", transfer("P1", "out", 3))
    assert isinstance(answer, Outcome)
    assert answer.result["balance"] == "0.0000"


def test_redeem_never_goes_below_nothing(context: HandlerContext) -> None:
    call(context, "loyalty.cashback", transfer("P1", "T1", 5))
    assert summed(call(context, "loyalty.redeem", transfer("P1", "T2", "5.0001"))) == [
        (422, "The balance 5.0000 is less than 5.0001")
    ]
    # What failed did not use its id up.
    assert summed(call(context, "loyalty.redeem", transfer("P1", "T2", 5))) == [
        done("P1", "T2", "5.0000", "0.0000")
    ]
    assert check_books(context.connection, context.client_id) == {"P1": 0}


def test_unknown_players(context: HandlerContext) -> None:
    unknown = (404, 'Player "nobody" does not exist')
    assert summed(call(context, "loyalty.balance", {"playerUniqueId": "nobody"})) == [unknown]
    assert summed(call(context, "loyalty.redeem", transfer("nobody", "T1", 1))) == [unknown]
    # Nor does a cashback that fails make anybody known.
    call(context, "loyalty.cashback", transfer("P1", "T1", 1))
    (refused,) = call(context, "loyalty.cashback", transfer("nobody", "T1", 1))
    assert isinstance(refused, Reject)
    assert summed(call(context, "loyalty.balance", {"playerUniqueId": "nobody"})) == [unknown]
    assert context.records.one("wallet", "nobody") is None


def test_the_same_transaction_again_is_a_duplicate(context: HandlerContext) -> None:
    call(context, "loyalty.cashback", transfer("P1", "T1", "12.30"))
    call(context, "loyalty.redeem", transfer("P1", "T2", "12.3"))
    # The redeem is told again even though there would not be enough for another one.
    for amount in ("12.3", "12.3000", 12.3):
        assert summed(call(context, "loyalty.redeem", transfer("P1", "T2", amount))) == [
            done("P1", "T2", "12.3000", "0.0000", duplicate=True)
        ]
        assert summed(call(context, "loyalty.cashback", transfer("P1", "T1", amount))) == [
            done("P1", "T1", "12.3000", "0.0000", duplicate=True)
        ]
    assert check_books(context.connection, context.client_id) == {"P1": 0}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("loyalty.cashback", transfer("P1", "T1", "1.0001")),
        ("loyalty.cashback", transfer("P2", "T1", 1)),
        ("loyalty.redeem", transfer("P1", "T1", 1)),
        ("loyalty.redeem", transfer("P2", "T1", 1)),
        ("loyalty.redeem", transfer("nobody", "T1", 1)),
    ],
)
def test_a_transaction_that_was_something_else(
    context: HandlerContext, name: str, data: dict[str, Any]
) -> None:
    call(context, "loyalty.cashback", transfer("P1", "T1", 1), transfer("P2", "other", 1))
    assert summed(call(context, name, data)) == [
        (409, 'The transaction "T1" was a cashback of 1.0000 for the player "P1"')
    ]
    assert check_books(context.connection, context.client_id) == {"P1": 1, "P2": 1}


def test_one_id_for_several_players_of_one_call(context: HandlerContext) -> None:
    answers = call(
        context,
        "loyalty.cashback",
        transfer("P2", "same", 1),
        transfer("P1", "same", 1),
        transfer("P3", "own", 1),
    )
    assert [isinstance(answer, Outcome) for answer in answers] == [True, False, True]
    assert isinstance(answers[1], Reject)
    assert answers[1].code == 409
    assert check_books(context.connection, context.client_id) == {"P2": 1, "P3": 1}


def test_clients_have_ledgers_of_their_own(context: HandlerContext) -> None:
    other = HandlerContext(context.connection, client_id=uuid4())
    call(context, "loyalty.cashback", transfer("P1", "T1", 5))
    assert summed(call(other, "loyalty.cashback", transfer("P1", "T1", 1))) == [
        done("P1", "T1", "1.0000", "1.0000")
    ]
    assert check_books(context.connection, context.client_id) == {"P1": 5}
    assert check_books(context.connection, other.client_id) == {"P1": 1}


@pytest.mark.parametrize(
    "amount",
    [
        0,
        -1,
        "0.0000",
        "0.00001",
        "1.23456",
        # More digits than Python's decimals keep by themselves.
        "0.9999" + "0" * 30 + "1",
        "1000000000000000",
        True,
        None,
        "",
        "1,5",
        "NaN",
        "Infinity",
        [1],
    ],
)
def test_amounts_that_are_none(amount: Any) -> None:
    with pytest.raises(ValidationError, match="amount"):
        operation("loyalty.cashback").load(transfer("P1", "T1", amount))


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0.0001", "0.0001"),
        ("999999999999999.9999", "999999999999999.9999"),
        ("1.50000000", "1.5000"),
        ("1e3", "1000.0000"),
        (7, "7.0000"),
    ],
)
def test_amounts_at_the_edge(context: HandlerContext, amount: Any, shown: str) -> None:
    assert summed(call(context, "loyalty.cashback", transfer("P1", "T1", amount))) == [
        done("P1", "T1", shown, shown)
    ]
    check_books(context.connection, context.client_id)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_entries SET change = 100",
        "DELETE FROM ledger_entries",
        "UPDATE wallets SET balance = -1",
        """
        INSERT INTO ledger_entries
            (client_id, transaction_id, player, number, operation, change, balance, batch_id)
        SELECT client_id, 'T2', player, 2, 'redeem', -2, -1, batch_id FROM ledger_entries
        """,
    ],
)
def test_postgres_refuses_to_cook_the_books(context: HandlerContext, change: str) -> None:
    call(context, "loyalty.cashback", transfer("P1", "T1", 1))
    with pytest.raises(IntegrityError, match=r"only appended to|balance"):
        context.connection.execute(text(change))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["loyalty.cashback", "loyalty.redeem"]),
        st.dictionaries(
            st.sampled_from(["P1", "P2", "P3"]),
            st.tuples(
                st.sampled_from([f"T{number}" for number in range(8)]),
                st.decimals("0.0001", "3", places=4),
            ),
            min_size=1,
        ),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_any_sequence_keeps_the_books(
    engine: Engine, steps: list[tuple[str, dict[str, tuple[str, Decimal]]]]
) -> None:
    balances: dict[str, Decimal] = {}
    used: dict[str, tuple[str, str, Decimal]] = {}

    def expected(name: str, player: str, transaction_id: str, amount: Decimal) -> Any:
        """What the item should end with, by a ledger that is a dictionary."""
        what = (name, player, amount)
        if transaction_id in used:
            return "duplicate" if used[transaction_id] == what else 409
        balance = balances.get(player)
        if name == "loyalty.redeem":
            if balance is None:
                return 404
            if balance < amount:
                return 422
        used[transaction_id] = what
        balances[player] = (balance or 0) + (amount if name == "loyalty.cashback" else -amount)
        return "done"

    with engine.connect() as connection, connection.begin() as rolled_back:
        context = HandlerContext(connection)
        for name, items in steps:
            datas = [transfer(player, *rest) for player, rest in items.items()]
            wanted = [expected(name, player, *rest) for player, rest in items.items()]
            assert list(map(kind_of, call(context, name, *datas))) == wanted
            assert check_books(connection, context.client_id) == balances
        rolled_back.rollback()


def kind_of(answer: Answer) -> Any:
    if isinstance(answer, Outcome):
        return "duplicate" if answer.result["duplicate"] else "done"
    return answer.code


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work(number)` gives in each of so many threads that begin at once."""
    barrier = threading.Barrier(count)

    def begin(number: int) -> Any:
        barrier.wait(10)
        return work(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(begin, range(count)))


def committed(engine: Engine, client_id: UUID, name: str, *datas: Any) -> list[Answer]:
    """The answers of a call in a transaction of its own, begun again after a deadlock."""
    while True:
        try:
            with transaction(engine) as connection:
                return call(HandlerContext(connection, client_id), name, *datas)
        except DBAPIError as error:
            if not is_retryable(error):
                raise


def test_redeeming_at_once_never_overdraws(engine: Engine) -> None:
    client_id = uuid4()
    players = [f"P{number}" for number in range(4)]
    committed(
        engine,
        client_id,
        "loyalty.cashback",
        *(transfer(player, f"in {player}", 10) for player in players),
    )

    def spend(number: int) -> list[Answer]:
        dice = random.Random(number)
        answers = []
        for step in range(6):
            order = dice.sample(players, 3)
            datas = [transfer(player, f"{number} {step} {player}", 1) for player in order]
            answers += committed(engine, client_id, "loyalty.redeem", *datas)
        return answers

    kinds = [kind_of(answer) for answers in in_threads(6, spend) for answer in answers]
    # 108 redeems of 1 over four wallets of 10: each wallet is emptied, and no more.
    assert (kinds.count("done"), kinds.count(422)) == (40, 68)
    with engine.connect() as connection:
        assert check_books(connection, client_id) == dict.fromkeys(players, Decimal(0))


def test_one_transaction_by_many_at_once_counts_once(engine: Engine) -> None:
    client_id = uuid4()
    for step in range(5):
        item = transfer("P1", f"T{step}", "1.5")
        answers = in_threads(6, lambda _: committed(engine, client_id, "loyalty.cashback", item))  # noqa: B023
        assert sorted(kind_of(answer) for (answer,) in answers) == ["done"] + ["duplicate"] * 5
    with engine.connect() as connection:
        assert check_books(connection, client_id) == {"P1": Decimal("7.5")}


def test_one_id_for_many_players_at_once_is_given_to_one(engine: Engine) -> None:
    client_id = uuid4()
    for step in range(5):
        answers = in_threads(
            6,
            lambda number: committed(
                engine,
                client_id,
                "loyalty.cashback",
                transfer(f"P{number}", f"T{step}", 1),  # noqa: B023
                transfer(f"Q{number}", f"own {step} {number}", 1),  # noqa: B023
            ),
        )
        first, second = zip(*answers, strict=True)
        assert sorted(map(str, map(kind_of, first))) == ["409"] * 5 + ["done"]
        assert set(map(kind_of, second)) == {"done"}
    with engine.connect() as connection:
        assert sum(check_books(connection, client_id).values()) == 5 + 30
