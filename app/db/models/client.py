"""Clients: who may submit and read."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Index, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base


class Client(Base):
    """An integration: the owner of batches, records and webhooks.

    Its credentials are its keys (app/db/models/key.py). `api_key`, `secret_hash` and `scopes` are
    those of the first one, for processes of the release before.

    `quotas`: those that were set, by their names; null there is unlimited (app/clients/quotas.py).
    `stored_items`: at least as many as its batches have, counted at `stored_at`; null: not counted.
    """

    __tablename__ = "clients"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    api_key: Mapped[str] = mapped_column(unique=True)
    secret_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
    quotas: Mapped[Any] = mapped_column(JSONB, server_default=text("'{}'"))
    stored_items: Mapped[int | None] = mapped_column(BigInteger)
    stored_at: Mapped[datetime | None]

    __table_args__ = (
        # A client that was revoked leaves its name to others.
        Index("uq_clients_name", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
    )
