"""What Fluent's API has beside batches: the jobs that they belong to, and numbers for ids."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Sequence, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base

# A batch's number is its `reference`.
FLUENT_BATCH_IDS = Sequence("fluent_batch_ids", metadata=Base.metadata)


class FluentJob(Base):
    """A job of a client: a name under which batches are sent."""

    __tablename__ = "fluent_jobs"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FluentBatch(Base):
    """Which job a batch belongs to. Gone with the batch."""

    __tablename__ = "fluent_batches"

    batch_id: Mapped[UUID] = mapped_column(
        ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    job_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("fluent_jobs.id", ondelete="CASCADE")
    )
