"""Items: the rows that the workers read and write. The hot table."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.lifecycle import ITEM_STATUSES
from app.db.models.base import Base, one_of
from handlers.tables import KeyText


class Item(Base):
    """One item of a batch.

    `index`: its position, from 0. `key`: the record it touches. `operation`: null where it is the
    batch's. `input`: the JSON as it was sent, to the letter. `due_at`: set while the item is not
    taken in order by the first pass but waits for a moment of its own (a retry, a deferral, an
    earlier item with the same key, a worker that died). `lane`: for items whose key stands more
    than once in the batch, the index of the first of them. `deferred`: it waits for another item.
    `crashes`: how often a worker process died holding it. `failure`: why it FAILED or is INVALID,
    by cause (app/batches/failures). `tried_before`: its tries before it was last retried, null for
    none; `attempts` are those since. `kept_at`: that of the outcome which stands among its tries
    already (app/db/models/item_try.py), by `finished_at`.

    No index covers a column that a successful first try changes, so that its one update can stay
    on the page (HOT).
    """

    __tablename__ = "items"

    batch_id: Mapped[UUID] = mapped_column(
        ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str | None] = mapped_column(KeyText)
    operation: Mapped[str | None]
    input: Mapped[Any] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(server_default="PENDING")
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    crashes: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    tried_before: Mapped[int | None]
    deferred: Mapped[bool] = mapped_column(server_default=text("false"))
    code: Mapped[int | None]
    message: Mapped[str | None]
    failure: Mapped[str | None] = mapped_column(KeyText)
    result: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    lane: Mapped[int | None]
    due_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    kept_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("status", ITEM_STATUSES),
        CheckConstraint("(status = 'PENDING') = (finished_at IS NULL)", name="ended_has_finish"),
        CheckConstraint("index >= 0", name="index"),
        Index(
            "ix_items_due",
            "batch_id",
            "due_at",
            "index",
            postgresql_where=text("due_at IS NOT NULL"),
        ),
        Index(
            "ix_items_lane",
            "batch_id",
            "lane",
            "index",
            postgresql_where=text("lane IS NOT NULL AND due_at IS NOT NULL"),
        ),
        # Whatever went wrong has a code; what succeeds never enters this index.
        Index("ix_items_problem", "batch_id", "index", postgresql_where=text("code IS NOT NULL")),
        Index(
            "ix_items_failure",
            "batch_id",
            "failure",
            "index",
            postgresql_where=text("failure IS NOT NULL"),
        ),
        # Nearly every row is updated once. With room for all those updates on the rows' own pages
        # none of them touches an index, and the table grows no larger than when they spill over.
        {"postgresql_with": {"fillfactor": 45}},
    )
