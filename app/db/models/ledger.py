"""The loyalty ledger: wallets, and the entries that their balances are the sums of."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Numeric, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, KeyText, one_of


class Wallet(Base):
    """A client's player. `balance` is the balance of the player's last entry, number `entries`.

    Whoever writes entries of a player holds this row's lock. A wallet without entries is only that
    lock: its player is unknown.
    """

    __tablename__ = "wallets"

    # No foreign key, as for records: clients are revoked, never removed.
    client_id: Mapped[UUID] = mapped_column(primary_key=True)
    player: Mapped[str] = mapped_column(KeyText, primary_key=True)
    balance: Mapped[Decimal] = mapped_column(Numeric(26, 4), server_default=text("0"))
    entries: Mapped[int] = mapped_column(server_default=text("0"))

    __table_args__ = (
        CheckConstraint("balance >= 0", name="balance"),
        {"postgresql_with": {"fillfactor": 70}},
    )


class LedgerEntry(Base):
    """One change of a wallet, never changed itself (a trigger refuses it).

    `change`: what was added, below 0 where it was taken away. `number`: from 1 in each wallet.
    `balance`: of the wallet with this entry, so the sum of its changes up to here.
    """

    __tablename__ = "ledger_entries"

    client_id: Mapped[UUID] = mapped_column(primary_key=True)
    transaction_id: Mapped[str] = mapped_column(KeyText, primary_key=True)
    player: Mapped[str] = mapped_column(KeyText)
    number: Mapped[int]
    operation: Mapped[str]
    change: Mapped[Decimal] = mapped_column(Numeric(19, 4))
    balance: Mapped[Decimal] = mapped_column(Numeric(26, 4))
    batch_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        one_of("operation", ("cashback", "redeem")),
        CheckConstraint("(operation = 'cashback') = (change > 0) AND change <> 0", name="change"),
        # Together: an entry follows on the one before it, and never below nothing.
        CheckConstraint("balance >= 0", name="balance"),
        CheckConstraint("number > 1 OR (number = 1 AND balance = change)", name="first"),
        UniqueConstraint("client_id", "player", "number"),
        ForeignKeyConstraint(["client_id", "player"], ["wallets.client_id", "wallets.player"]),
    )
