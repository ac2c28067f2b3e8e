"""What the console keeps: who is signed in, and how much was done in each minute."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base


class ConsoleSession(Base):
    """Somebody signed in to the console, by the hash of the token in their cookie.

    `secret_hash`: of the secret that was signed in with. The session is worth no more than that: it
    is over when the secret is.
    """

    __tablename__ = "console_sessions"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[UUID] = mapped_column(ForeignKey("keys.id", ondelete="CASCADE"), index=True)
    secret_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ItemHistory(Base):
    """How many items of a client's batches ended in a minute, by the batches' operation.

    Those that move batches on add rows, and wait for nobody's; the sweep makes one of those of a
    minute that is over (`whole`). `operation`: empty where the items name theirs.
    """

    __tablename__ = "item_history"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    minute: Mapped[datetime] = mapped_column(
        server_default=text("date_trunc('minute', clock_timestamp())")
    )
    client_id: Mapped[UUID]
    operation: Mapped[str]
    completed: Mapped[int]
    failed: Mapped[int]
    invalid: Mapped[int]
    whole: Mapped[bool] = mapped_column(server_default=text("false"))

    __table_args__ = (
        Index("ix_item_history_minute", "minute"),
        Index("ix_item_history_client_id_minute", "client_id", "minute"),
        Index("ix_item_history_parts", "minute", postgresql_where=text("NOT whole")),
    )
