"""The audit trail: who changed what."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base


class AuditRow(Base):
    """An action that changed something. It refers to nothing, so that it outlives all of it.

    `id`: a UUIDv7 by Postgres' clock, of the moment `at`. `client_id`: the owner of what was
    changed. `key_id`, `key_name`, `address`, `request_id`: who did it; null for the command line.
    """

    __tablename__ = "audit"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    action: Mapped[str]
    client_id: Mapped[UUID]
    key_id: Mapped[UUID | None]
    key_name: Mapped[str | None]
    address: Mapped[str | None]
    request_id: Mapped[str | None]
    batch_id: Mapped[UUID | None]
    detail: Mapped[Any] = mapped_column(JSONB, server_default=text("'{}'"))

    __table_args__ = (
        Index("ix_audit_client_id_id", "client_id", "id"),
        Index(
            "ix_audit_batch_id_id", "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")
        ),
    )
