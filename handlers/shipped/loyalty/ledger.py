"""The loyalty ledger's rows: wallets locked and read, entries written.

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

from handlers.contract import Context
from handlers.shipped.loyalty.statements import (
    FIND_ENTRIES,
    LOCK_WALLETS,
    OPEN_WALLETS,
    READ_WALLETS,
    UPDATE_WALLETS,
    WRITE_ENTRIES,
)

COLLECTION = "wallet"
Kind = Literal["cashback", "redeem"]


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
    """An entry to be written: see `tables`. `key`: of the wallet's record."""

    transaction_id: str
    player: str
    key: str
    change: Decimal
    number: int
    balance: Decimal


def open_wallets(context: Context, players: Sequence[str]) -> None:
    """Give players without a wallet an empty one: a first entry needs a row to lock, too."""
    context.connection.execute(
        OPEN_WALLETS, {"client": context.client_id, "players": list(players)}
    )


def wallets(context: Context, players: Sequence[str], *, lock: bool) -> dict[str, Wallet]:
    """The wallets of those of the players that are known; `lock` holds them until the commit."""
    rows = context.connection.execute(
        LOCK_WALLETS if lock else READ_WALLETS,
        {"client": context.client_id, "players": list(players)},
    )
    return {row.player: Wallet(row.balance, row.entries) for row in rows if row.entries}


def used(context: Context, transaction_ids: Iterable[str]) -> dict[str, Transaction]:
    """What those of the ids stand for that the ledger has entries for."""
    rows = context.connection.execute(
        FIND_ENTRIES, {"client": context.client_id, "transactions": list(transaction_ids)}
    )
    return {row.transaction_id: Transaction(row.operation, row.player, row.amount) for row in rows}


def write(context: Context, kind: Kind, entries: list[Entry]) -> set[str]:
    """Write entries of distinct players whose wallets are locked; the ids that were still free.

    Of an entry whose id another transaction used first nothing is written.
    """
    if not entries:
        return set()
    rows = context.connection.execute(
        WRITE_ENTRIES,
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
        context.connection.execute(
            UPDATE_WALLETS, {"client": context.client_id, **_columns(entries)}
        )
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
