"""What the engine keeps: live workers, slices under way, lanes to come, what operations cost."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.lifecycle import SLICE_STATES
from app.db.models.base import Base, one_of


class Worker(Base):
    """A worker process that processes slices. Gone when it stops.

    `slots`: how many slices at once. `machine`: where its pid means something. `main_pid`: the
    process that notes under `ended` what this one died of, where there is one.

    `queue`: the one that its slots are counted for; `queues`: all that it takes from. `operations`:
    those that it has; null for a process of a release that did not say. `busy`: slots at work.
    `took_at`: when it last took a message. `starving_since`: since when it has free slots, messages
    wait and it takes none. `tries`: tries that went well within the window of a breaker, by its
    operation and base. `undoes`: whether it knows how to undo the effects of a dry run, slices of
    which Postgres lets no other claim.
    """

    __tablename__ = "workers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    hostname: Mapped[str]
    machine: Mapped[str] = mapped_column(server_default="")
    pid: Mapped[int]
    queue: Mapped[str]
    slots: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=func.now())
    main_pid: Mapped[int | None]
    ended: Mapped[str | None]
    operations: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    queues: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    busy: Mapped[int | None]
    took_at: Mapped[datetime | None]
    starving_since: Mapped[datetime | None]
    tries: Mapped[dict[str, int] | None] = mapped_column(JSONB(none_as_null=True))
    undoes: Mapped[bool] = mapped_column(server_default=text("false"))

    __table_args__ = (Index("ix_workers_heartbeat_at", "heartbeat_at"),)


class Slice(Base):
    """A part of one wave of a batch: the items that one task processes.

    Its items are those of `first_index`..`last_index` that the first pass has not taken yet, or,
    where `picks` is set, exactly those. READY waits for a worker; CLAIMED belongs to `worker_id`
    under the token `claim`, which every write of an outcome names; DONE waits for the wave to be
    settled. Rows live as long as their wave.

    `limited`: those operations of its items that have a concurrency or rate limit, else null.
    `not_before`: the moment that the rate limit gave it. `parked_at`: since when it waits for a
    place under the concurrency limit; whoever leaves one sends it again. `passes`: how often a
    worker that lacks its operation passed it on. `undoing`: only ever seen as true by the
    transaction that calls handlers in a dry run, which cannot commit while it is.
    """

    __tablename__ = "slices"

    batch_id: Mapped[UUID] = mapped_column(
        ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    wave: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    operation: Mapped[str | None]
    queue: Mapped[str]
    phase: Mapped[str]
    first_index: Mapped[int]
    last_index: Mapped[int]
    picks: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    size: Mapped[int]
    state: Mapped[str] = mapped_column(server_default="READY")
    sent_at: Mapped[datetime] = mapped_column(server_default=func.now())
    limited: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    not_before: Mapped[datetime | None]
    parked_at: Mapped[datetime | None]
    sends: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    claim: Mapped[UUID | None]
    worker_id: Mapped[UUID | None]
    claimed_at: Mapped[datetime | None]
    seconds: Mapped[float] = mapped_column(server_default=text("0"))
    completed: Mapped[int] = mapped_column(server_default=text("0"))
    failed: Mapped[int] = mapped_column(server_default=text("0"))
    invalid: Mapped[int] = mapped_column(server_default=text("0"))
    passes: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    undoing: Mapped[bool] = mapped_column(server_default=text("false"))

    __table_args__ = (
        one_of("state", SLICE_STATES),
        CheckConstraint("(state = 'CLAIMED') <= (claim IS NOT NULL)", name="claimed_has_claim"),
        CheckConstraint("first_index <= last_index", name="range"),
        Index("ix_slices_state", "state", "sent_at"),
        {"postgresql_with": {"fillfactor": 50}},
    )


class LaneChunk(Base):
    """Items of a large batch whose keys are repeated, found and not yet put into their lanes.

    Those of the `indexes` from `first_index` on; `heads`: the first item with the same key, for
    each. `part`: which of the parts that keys fall into by their hash. Gone once they are marked.
    """

    __tablename__ = "lane_chunks"

    batch_id: Mapped[UUID] = mapped_column(
        ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    first_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    indexes: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    heads: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class OperationCost(Base):
    """What slices of an operation have lately cost: a fixed part, and a part for each item.

    `weight`, `items`, `seconds`, `items_squared`, `items_seconds`: sums over the last slices, older
    ones weighing less, of which a line is drawn (workers/engine/figures/costs.py).
    `seconds_per_item`: both parts together.
    """

    __tablename__ = "operation_costs"

    operation: Mapped[str] = mapped_column(primary_key=True)
    seconds_per_item: Mapped[float]
    weight: Mapped[float] = mapped_column(server_default=text("0"))
    items: Mapped[float] = mapped_column(server_default=text("0"))
    seconds: Mapped[float] = mapped_column(server_default=text("0"))
    items_squared: Mapped[float] = mapped_column(server_default=text("0"))
    items_seconds: Mapped[float] = mapped_column(server_default=text("0"))
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OperationGate(Base):
    """Keeps an operation's limits over all workers; locked before one of its slices is claimed.

    `free_at`: when its rate limit lets the next item begin.
    """

    __tablename__ = "operation_gates"

    operation: Mapped[str] = mapped_column(primary_key=True)
    free_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Sweep(Base):
    """When the last sweep was, in the one row there is: none before the first."""

    __tablename__ = "sweeps"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, server_default=text("1"))
    swept_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (CheckConstraint("id = 1", name="single"),)


class PublishedOperation(Base):
    """An operation that a process has registered: what all others need to know of it.

    `description`: as `app.operations.description` makes it; null where nobody has published one.
    `last_served_at`: until when a worker that is gone had it (of those that live, `workers` tells).
    `missing_since`: since when work for it was found and no worker that has it, without a break
    longer than a minute; `missing_seen_at`: when that was noticed last.
    """

    __tablename__ = "operations"

    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    first_seen: Mapped[datetime] = mapped_column(server_default=func.now())
    last_served_at: Mapped[datetime | None]
    missing_since: Mapped[datetime | None]
    missing_seen_at: Mapped[datetime | None]
