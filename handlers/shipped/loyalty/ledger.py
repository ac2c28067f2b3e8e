"""The loyalty ledger's rows: wallets locked and read, entries written. SQL and nothing else.

Callers take their wallets' row locks first, in the order of the players, and then add entries in
the order of their ids: so what a wallet holds cannot change between the look and the entry, and
callers do not wait for each other in a circle. Beside each wallet its record of the collection
`wallet` is written, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer, Numeric, Text

from handlers.contract import Context

COLLECTION = "wallet"
Kind = Literal["cashback", "redeem"]

_TYPES: dict[str, Any] = {"numbers": Integer, "changes": Numeric, "balances": Numeric}


def _statement(sql: str, *arrays: str) -> TextClause:
    return text(sql).bindparams(
        *(bindparam(name, type_=ARRAY(_TYPES.get(name, Text))) for name in arrays)
    )


_OPEN = _statement(
    """
    INSERT INTO wallets (client_id, player)
    SELECT :client, u.player FROM unnest(:players) AS u (player) ORDER BY u.player COLLATE "C"
    ON CONFLICT DO NOTHING
    """,
    "players",
)
_WALLETS = """
    SELECT player, balance, entries FROM wallets
    WHERE client_id = :client AND player = ANY(:players) ORDER BY player
"""
_LOOK = _statement(_WALLETS, "players")
_LOCK = _statement(f"{_WALLETS} FOR NO KEY UPDATE", "players")
_USED = _statement(
    """
    SELECT transaction_id, operation, player, abs(change) AS amount FROM ledger_entries
    WHERE client_id = :client AND transaction_id = ANY(:transactions)
    """,
    "transactions",
)
_ENTER = _statement(
    """
    INSERT INTO ledger_entries
        (client_id, transaction_id, player, number, operation, change, balance, batch_id)
    SELECT :client, u.transaction_id, u.player, u.number, :operation, u.change, u.balance, :batch
    FROM unnest(:transactions, :players, :numbers, :changes, :balances)
         AS u (transaction_id, player, number, change, balance)
    ORDER BY u.transaction_id COLLATE "C"
    ON CONFLICT (client_id, transaction_id) DO NOTHING RETURNING transaction_id
    """,
    "transactions",
    "players",
    "numbers",
    "changes",
    "balances",
)
_SETTLE = _statement(
    """
    UPDATE wallets SET balance = u.balance, entries = u.number
    FROM unnest(:players, :numbers, :balances) AS u (player, number, balance)
    WHERE wallets.client_id = :client AND wallets.player = u.player
    """,
    "players",
    "numbers",
    "balances",
)


@dataclass(frozen=True, slots=True)
class Wallet:
    """What a player has. Without entries the player is unknown."""

    balance: Decimal = Decimal(0)
    entries: int = 0


class Transaction(NamedTuple):
    """What a transaction's id stands for: two with the same id are one only if these agree."""

    kind: str
    player: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry to be written: see app.db.models.ledger. `key`: of the wallet's record."""

    transaction_id: str
    player: str
    key: str
    change: Decimal
    number: int
    balance: Decimal


def open_wallets(context: Context, players: Sequence[str]) -> None:
    """Give players without a wallet an empty one: a first entry needs a row to lock, too."""
    context.connection.execute(_OPEN, {"client": context.client_id, "players": list(players)})


def wallets(context: Context, players: Sequence[str], *, lock: bool) -> dict[str, Wallet]:
    """The wallets of those of the players that are known; `lock` holds them until the commit."""
    rows = context.connection.execute(
        _LOCK if lock else _LOOK, {"client": context.client_id, "players": list(players)}
    )
    return {row.player: Wallet(row.balance, row.entries) for row in rows if row.entries}


def used(context: Context, transaction_ids: Iterable[str]) -> dict[str, Transaction]:
    """What those of the ids stand for that the ledger has entries for."""
    rows = context.connection.execute(
        _USED, {"client": context.client_id, "transactions": list(transaction_ids)}
    )
    return {row.transaction_id: Transaction(row.operation, row.player, row.amount) for row in rows}


def write(context: Context, kind: Kind, entries: list[Entry]) -> set[str]:
    """Write entries of distinct players whose wallets are locked; the ids that were still free.

    Of an entry whose id another transaction used first nothing is written.
    """
    if not entries:
        return set()
    rows = context.connection.execute(
        _ENTER,
        {
            "client": context.client_id,
            "batch": context.batch_id,
            "operation": kind,
            "transactions": [entry.transaction_id for entry in entries],
            "changes": [entry.change for entry in entries],
            **_columns(entries),
        },
    )
    written = {row.transaction_id for row in rows}
    entries = [entry for entry in entries if entry.transaction_id in written]
    if entries:
        context.connection.execute(_SETTLE, {"client": context.client_id, **_columns(entries)})
        context.records.upsert(
            COLLECTION,
            [
                (entry.key, {"balance": shown(entry.balance), "entries": entry.number})
                for entry in entries
            ],
        )
    return written


def _columns(entries: list[Entry]) -> dict[str, list[Any]]:
    return {
        "players": [entry.player for entry in entries],
        "numbers": [entry.number for entry in entries],
        "balances": [entry.balance for entry in entries],
    }


def shown(amount: Decimal) -> str:
    """An amount as text with four places: `12.3000`."""
    return f"{amount:.4f}"
