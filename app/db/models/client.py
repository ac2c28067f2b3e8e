"""Clients: who may submit and read."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base


class Client(Base):
    """An integration with credentials of its own. Its secret is kept only as a hash."""

    __tablename__ = "clients"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    api_key: Mapped[str] = mapped_column(unique=True)
    secret_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
