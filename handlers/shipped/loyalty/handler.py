"""Loyalty: cashback into a player's wallet, redeem out of it, in exact decimals.

A ledger entry is written once and never changed; a wallet's balance is the sum of its entries.
`transactionId` is the entries' key for the client, so it counts once ever. The same transaction
again (operation, player and amount) succeeds without effect and says `"duplicate": true`; with
anything else about it different it fails with 409. An item that fails leaves no entry, so its
`transactionId` may be used again.
"""

from __future__ import annotations

from decimal import Decimal

from marshmallow import Schema, validate

from handlers.contract import Answer, Context, Item, Outcome, Reject
from handlers.fields import Number, Reference
from handlers.registry import operation
from handlers.shipped.loyalty import ledger
from handlers.shipped.loyalty.ledger import COLLECTION, Entry, Kind, Transaction, Wallet, shown

LARGEST_AMOUNT = Decimal("999999999999999.9999")


class BalanceSchema(Schema):
    """The player whose balance is asked for."""

    playerUniqueId = Reference(required=True)


class TransactionSchema(BalanceSchema):
    """An amount for a player, above 0, of at most four places."""

    transactionId = Reference(required=True)
    amount = Number(
        required=True,
        places=4,
        validate=validate.Range(min=0, min_inclusive=False, max=LARGEST_AMOUNT),
    )


@operation(
    "loyalty.cashback",
    schema=TransactionSchema,
    key=("playerUniqueId",),
    collection=COLLECTION,
    bulk=True,
)
def cashback(items: list[Item], context: Context) -> list[Answer]:
    """Add an amount to a player's wallet, which opens with the first one."""
    ledger.open_wallets(context, _players(items))
    return _transact("cashback", items, context)


@operation(
    "loyalty.redeem",
    schema=TransactionSchema,
    key=("playerUniqueId",),
    collection=COLLECTION,
    bulk=True,
)
def redeem(items: list[Item], context: Context) -> list[Answer]:
    """Take an amount out of a player's wallet, if there is as much in it."""
    return _transact("redeem", items, context)


@operation(
    "loyalty.balance",
    schema=BalanceSchema,
    key=("playerUniqueId",),
    collection=COLLECTION,
    bulk=True,
)
def balance(items: list[Item], context: Context) -> list[Answer]:
    """Tell a player's balance, with four places."""
    players = _players(items)
    found = ledger.wallets(context, players, lock=False)
    return [
        Outcome({"playerUniqueId": player, "balance": shown(found[player].balance)})
        if player in found
        else _unknown(player)
        for player in players
    ]


def _transact(kind: Kind, items: list[Item], context: Context) -> list[Answer]:
    """Enter the items, each of another player, into the ledger."""
    wallets = ledger.wallets(context, _players(items), lock=True)
    used = ledger.used(context, (item.data["transactionId"] for item in items))
    answers: dict[int, Answer] = {}
    entries: dict[int, Entry] = {}
    for item in items:
        player, transaction_id = item.data["playerUniqueId"], item.data["transactionId"]
        wallet = wallets.get(player, Wallet())
        found = _verdict(kind, item, wallet, used.get(transaction_id))
        if isinstance(found, Entry):
            entries[item.index] = found
            # From here on the id is taken, for the items behind this one, too.
            used[transaction_id] = _transaction(kind, item)
        else:
            answers[item.index] = found
    written = ledger.write(context, kind, list(entries.values()))
    late = {entry.transaction_id for entry in entries.values()} - written
    if late:
        # Another batch was first to use these ids; it has committed by now.
        used = ledger.used(context, late)
    for item in items:
        entry = entries.get(item.index)
        if entry is not None and entry.transaction_id in written:
            answers[item.index] = _done(item, entry.balance, duplicate=False)
        elif entry is not None:
            wallet = wallets.get(entry.player, Wallet())
            answers[item.index] = _repeated(kind, item, wallet, used[entry.transaction_id])
    return [answers[item.index] for item in items]


def _verdict(kind: Kind, item: Item, wallet: Wallet, before: Transaction | None) -> Answer | Entry:
    """The entry to write for an item, or why there is none. `before`: what its id stands for."""
    if before is not None:
        return _repeated(kind, item, wallet, before)
    amount: Decimal = item.data["amount"]
    if kind == "redeem":
        if not wallet.entries:
            return _unknown(item.data["playerUniqueId"])
        if wallet.balance < amount:
            return Reject(f"The balance {shown(wallet.balance)} is less than {shown(amount)}")
    change = -amount if kind == "redeem" else amount
    return Entry(
        transaction_id=item.data["transactionId"],
        player=item.data["playerUniqueId"],
        key=str(item.key),
        change=change,
        number=wallet.entries + 1,
        balance=wallet.balance + change,
    )


def _repeated(kind: Kind, item: Item, wallet: Wallet, before: Transaction) -> Answer:
    if before == _transaction(kind, item):
        return _done(item, wallet.balance, duplicate=True)
    return Reject(
        f'The transaction "{item.data["transactionId"]}" was a {before.kind} of '
        f'{shown(before.amount)} for the player "{before.player}"',
        code=409,
    )


def _transaction(kind: Kind, item: Item) -> Transaction:
    return Transaction(kind, item.data["playerUniqueId"], item.data["amount"])


def _done(item: Item, balance: Decimal, *, duplicate: bool) -> Outcome:
    return Outcome(
        {
            "playerUniqueId": item.data["playerUniqueId"],
            "transactionId": item.data["transactionId"],
            "amount": shown(item.data["amount"]),
            "balance": shown(balance),
            "duplicate": duplicate,
        }
    )


def _unknown(player: str) -> Reject:
    return Reject(f'Player "{player}" does not exist', code=404)


def _players(items: list[Item]) -> list[str]:
    return [item.data["playerUniqueId"] for item in items]
