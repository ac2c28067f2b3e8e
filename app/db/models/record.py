"""Records: what handlers store, by client, collection and key."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base
from handlers.tables import KeyText


class Record(Base):
    """One stored thing of a client. `version` counts its writes, from 1."""

    __tablename__ = "records"

    # No foreign key: clients are revoked, never removed, and the check would lock the client's
    # row once for every record that a slice writes.
    client_id: Mapped[UUID] = mapped_column(primary_key=True)
    collection: Mapped[str] = mapped_column(KeyText, primary_key=True)
    key: Mapped[str] = mapped_column(KeyText, primary_key=True)
    data: Mapped[Any] = mapped_column(JSON)
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
