"""What Fluent's API has beside batches: the jobs that they belong to, and numbers for ids."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Sequence, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base

# A batch's number is its `reference`.
FLUENT_BATCH_IDS = Sequence("fluent_batch_ids", metadata=Base.metadata)


class FluentJob(Base):
    """A job of a client: a name under which batches are sent.

    `used_at`: when it was made, when a batch was last sent under it (to a day), or when it was old
    and found to have batches.
    """

    __tablename__ = "fluent_jobs"
    __table_args__ = (Index("ix_fluent_jobs_client_id_used_at", "client_id", "used_at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FluentBatch(Base):
    """Which job a batch belongs to. Gone with the batch."""

    __tablename__ = "fluent_batches"

    batch_id: Mapped[UUID] = mapped_column(
        ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    job_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("fluent_jobs.id", ondelete="CASCADE"), index=True
    )
