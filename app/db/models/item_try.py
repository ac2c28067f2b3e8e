"""Tries of items that are past: what an item was and what was said of it before it ran again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, ForeignKey, Identity
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base


class ItemTry(Base):
    """A try of an item that another followed, or was to follow.

    The last outcome stands in the item's own row, so that an item that succeeds at first has no row
    here, and one that fails for good has none before it is retried.

    `number`: in which order. `attempt`: how many tries the item had had with it. `status`: PENDING
    where it was to be tried again by itself, else how it had ended. `input`: null where it is that
    of the item's next try that has one, or of the item: only who edits an item writes it.
    """

    __tablename__ = "item_tries"

    batch_id: Mapped[UUID] = mapped_column(
        ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    attempt: Mapped[int]
    at: Mapped[datetime]
    status: Mapped[str]
    code: Mapped[int | None]
    message: Mapped[str | None]
    input: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
