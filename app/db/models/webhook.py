"""Webhooks: where a client wants to be told, and what was sent there."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    Text,
    desc,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, one_of

PENDING = "PENDING"
DELIVERED = "DELIVERED"
FAILED = "FAILED"
DELIVERY_STATUSES = (PENDING, DELIVERED, FAILED)


class Webhook(Base):
    """An address of a client's that is told of events.

    `secret` signs what is sent, so it is kept in clear; `previous_secret` signs beside it until
    `previous_until`. `disabled_at`: nothing is sent any more, and `disabled_reason` says why.
    `called_at`: when a worker was last asked to send what is due; null once it has.
    """

    __tablename__ = "webhooks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    url: Mapped[str]
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    secret: Mapped[str]
    previous_secret: Mapped[str | None]
    previous_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    called_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("cardinality(events) > 0", name="events"),
        CheckConstraint(
            "(previous_secret IS NULL) = (previous_until IS NULL)", name="previous_secret"
        ),
        Index("ix_webhooks_client_id_id", "client_id", desc("id")),
    )


class WebhookDelivery(Base):
    """One event for one webhook: what is to be sent, and how far that got.

    `body`: the JSON to the letter, since its signature is over its bytes. `attempts`: tries so
    far; `step`: how many of them since it was last asked for (a resend begins again), which is
    its place in the backoff. PENDING has a `next_at`. `claim` is the token of the worker that is
    sending it, until `claimed_until`. The answer is the last one's.
    """

    __tablename__ = "webhook_deliveries"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    # No foreign key: the log outlives the batch.
    batch_id: Mapped[UUID | None]
    event: Mapped[str]
    body: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=PENDING)
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    step: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    next_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    claim: Mapped[UUID | None]
    claimed_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    tried_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    answer_status: Mapped[int | None] = mapped_column(SmallInteger)
    answer_body: Mapped[str | None]
    error: Mapped[str | None]
    seconds: Mapped[float | None]

    __table_args__ = (
        one_of("status", DELIVERY_STATUSES),
        CheckConstraint("(status = 'PENDING') = (finished_at IS NULL)", name="ended_has_finish"),
        CheckConstraint("(status = 'PENDING') = (next_at IS NOT NULL)", name="pending_has_next"),
        CheckConstraint("(claim IS NULL) = (claimed_until IS NULL)", name="claim_has_end"),
        Index("ix_webhook_deliveries_webhook_id_id", "webhook_id", desc("id")),
        # What is to be sent, and nothing else: the cost of looking is that of the backlog.
        Index(
            "ix_webhook_deliveries_due",
            "webhook_id",
            "next_at",
            postgresql_where=text("status = 'PENDING'"),
        ),
        # What is under way, which every claim counts.
        Index(
            "ix_webhook_deliveries_claim",
            "webhook_id",
            postgresql_where=text("claim IS NOT NULL"),
        ),
        Index(
            "ix_webhook_deliveries_finished_at",
            "finished_at",
            postgresql_where=text("finished_at IS NOT NULL"),
        ),
    )
