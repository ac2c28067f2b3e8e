"""Failures: what went wrong in a batch, by cause."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, SmallInteger, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base
from handlers.tables import KeyText

MOST_FAILURES = 1000
"""Of a batch; what is beyond them is in one called `other`, which has no row here."""


class Failure(Base):
    """A cause by which items of a batch failed, or were invalid (app/batches/failures).

    `failure`: its id, the same in every batch. `number`: which of the batch's it is, from 0, so
    that there are never more than so many, whoever adds one at the same time. `message`: with `…`
    where values vary.
    """

    __tablename__ = "failures"

    batch_id: Mapped[UUID] = mapped_column(
        ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    failure: Mapped[str] = mapped_column(KeyText, primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger)
    operation: Mapped[str | None]
    status: Mapped[str]
    code: Mapped[int | None]
    message: Mapped[str]

    __table_args__ = (
        CheckConstraint(f"number >= 0 AND number < {MOST_FAILURES}", name="number"),
        UniqueConstraint("batch_id", "number"),
    )


class FailureCount(Base):
    """A part of how many items have a failure; the sum over `spread` is how many.

    Slices that are written at the same time count in different rows, so that none waits for
    another. `status`: how those items ended, of which `other` has both.
    """

    __tablename__ = "failure_counts"

    batch_id: Mapped[UUID] = mapped_column(
        ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    failure: Mapped[str] = mapped_column(KeyText, primary_key=True)
    status: Mapped[str] = mapped_column(primary_key=True)
    spread: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    last_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
