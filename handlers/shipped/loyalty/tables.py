"""The loyalty ledger: wallets, and the entries that their balances are the sums of."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

from handlers.tables import KeyText, append_only, metadata

# A client's player. `balance` is the balance of the player's last entry, number `entries`. Whoever
# writes entries of a player holds this row's lock. A wallet without entries is only that lock: its
# player is unknown. No foreign key, as for records: clients are revoked, never removed.
WALLETS = Table(
    "wallets",
    metadata,
    Column("client_id", Uuid(), primary_key=True),
    Column("player", KeyText, primary_key=True),
    Column("balance", Numeric(26, 4), nullable=False, server_default=text("0")),
    Column("entries", Integer(), nullable=False, server_default=text("0")),
    CheckConstraint("balance >= 0", name="balance"),
    postgresql_with={"fillfactor": 70},
)

# One change of a wallet, never changed itself. `change`: what was added, below 0 where it was taken
# away. `number`: from 1 in each wallet. `balance`: of the wallet with this entry, so the sum of its
# changes up to here.
LEDGER_ENTRIES = append_only(
    Table(
        "ledger_entries",
        metadata,
        Column("client_id", Uuid(), primary_key=True),
        Column("transaction_id", KeyText, primary_key=True),
        Column("player", KeyText, nullable=False),
        Column("number", Integer(), nullable=False),
        Column("operation", Text(), nullable=False),
        Column("change", Numeric(19, 4), nullable=False),
        Column("balance", Numeric(26, 4), nullable=False),
        Column("batch_id", Uuid(), nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        CheckConstraint("operation IN ('cashback', 'redeem')", name="operation"),
        CheckConstraint("(operation = 'cashback') = (change > 0) AND change <> 0", name="change"),
        # Together: an entry follows on the one before it, and never below nothing.
        CheckConstraint("balance >= 0", name="balance"),
        CheckConstraint("number > 1 OR (number = 1 AND balance = change)", name="first"),
        UniqueConstraint("client_id", "player", "number"),
        ForeignKeyConstraint(["client_id", "player"], ["wallets.client_id", "wallets.player"]),
    )
)
