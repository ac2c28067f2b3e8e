"""Batches: what was asked, how far it got, how it ended."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    desc,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.lifecycle import (
    APPROVALS,
    BATCH_ENDED,
    BATCH_STATUSES,
    LONG_WORK,
    NATIVE,
    NOT_ALL_WELL,
)
from app.db.models.base import Base, one_of

_ENDED = ", ".join(f"'{status}'" for status in BATCH_ENDED)
_NOT_ALL_WELL = ", ".join(f"'{status}'" for status in NOT_ALL_WELL)
# What may not run without approval does not, whoever moves it on: a worker of a release that knows
# nothing of this is refused what it would do. One that is stopped while it is looked at may be
# ended by such a worker, which leaves `approval` as it is.
APPROVED = f"""CASE approval
    WHEN 'needed' THEN status IN ('OPEN', 'AWAITING', {_ENDED})
    WHEN 'checking' THEN status IN ('PENDING', 'RUNNING', 'PAUSED') AND phase = 'validate'
        OR status IN ({_ENDED}) AND stop_reason IS NOT NULL
    WHEN 'given' THEN status NOT IN ('OPEN', 'AWAITING')
    ELSE status <> 'AWAITING'
    END"""

# As little is what a dry run does kept, whoever begins it anew.
EFFECTS = """CASE WHEN dry_effects THEN dry_run AND phase IN ('validate', 'effects')
    ELSE phase <> 'effects' END"""

# No wave of a batch is planned behind the step of its ramp that is under way. Whoever knows of that
# notes each that it plans: a worker of a release that does not is refused what it would do.
RAMPED = "ramp_end IS NULL OR ramp_end >= total OR ramp_wave IS NOT DISTINCT FROM wave"


class Batch(Base):
    """One submission and its items.

    `operation` is null where the items name their own. The four counts are what the waves that
    have been folded in ended with; slices of the wave under way add to them
    (app/batches/batch_view.py). `next_index` is the first item that no wave has taken yet.
    `phase`: "validate" (every item is looked at first: onInvalid: reject, or an approval that is
    needed), "run", "dry" (dryRun: true) or "effects" (dryRun: "effects", where `dry_effects`).

    `stopping`: why the rest is being canceled. `forgiven`: failures from before a retry, which
    `max_failures` counts no more; `forgiven_share` of `forgiven_processed` items: what their share
    is not about. `approval`: one of lifecycle.APPROVALS, null where it needs none; `contributors`:
    the keys that may not give it, as what is in the batch is theirs.

    `ramp`: the steps that its caller wants it to begin with, as app.batches.ramp writes them.
    `ramp_end`: where the step under way ends, before which nothing behind it begins; null where
    there is no step any more. `ramp_wave`: the last wave that whoever knows of ramps has planned.
    `ramp_held`: whether it is PAUSED by its ramp.

    `stalled`: items tried since the last one that ended, which was at `progress_at`. `due_at`: when
    it should be moved on again. `turn_at`: since when it waits in line to be moved on; null while
    there is nothing to do for it. `queue`: the workers that its operation needs, whose line that
    is. `held`: the breakers that it, or some of its items, waits for. `request_id`: of the request
    that submitted it, for the logs; null where there was none.

    `doing`: what is under way in steps, null for nothing (app/batches/long_work). `doing_index`:
    how far it is; `doing_done` of `doing_total` items; `doing_statuses`: which are to be retried,
    or `doing_where`: what is chosen, and how many of each status (app/batches/actions/chosen.py),
    or what follows (app/batches/long_work/canceling_chosen.py).
    `doing_at`: when a step was last made, or sent for; `doing_sends`: how often since then.
    """

    __tablename__ = "batches"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    name: Mapped[str | None]
    operation: Mapped[str | None]
    status: Mapped[str]
    dialect: Mapped[str] = mapped_column(server_default=NATIVE)
    reference: Mapped[str | None]
    batch_metadata: Mapped[Any | None] = mapped_column("metadata", JSON(none_as_null=True))
    on_invalid: Mapped[str] = mapped_column(server_default="partial")
    max_failures: Mapped[int | None]
    dry_run: Mapped[bool] = mapped_column(server_default=text("false"))
    dry_effects: Mapped[bool] = mapped_column(server_default=text("false"))
    max_failure_percent: Mapped[Decimal | None] = mapped_column(Numeric)
    min_processed: Mapped[int | None]
    approval: Mapped[str | None]
    contributors: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))

    ramp: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    ramp_end: Mapped[int | None]
    ramp_wave: Mapped[int | None]
    ramp_held: Mapped[bool] = mapped_column(server_default=text("false"))

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    scheduled_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    total: Mapped[int] = mapped_column(server_default=text("0"))
    completed: Mapped[int] = mapped_column(server_default=text("0"))
    failed: Mapped[int] = mapped_column(server_default=text("0"))
    invalid: Mapped[int] = mapped_column(server_default=text("0"))
    canceled: Mapped[int] = mapped_column(server_default=text("0"))

    phase: Mapped[str] = mapped_column(server_default="run")
    stopping: Mapped[str | None]
    stop_reason: Mapped[str | None]
    wave: Mapped[int] = mapped_column(server_default=text("0"))
    next_index: Mapped[int] = mapped_column(server_default=text("0"))
    mixed: Mapped[bool] = mapped_column(server_default=text("false"))
    may_repeat: Mapped[bool] = mapped_column(server_default=text("false"))
    forgiven: Mapped[int] = mapped_column(server_default=text("0"))
    forgiven_share: Mapped[int] = mapped_column(server_default=text("0"))
    forgiven_processed: Mapped[int] = mapped_column(server_default=text("0"))
    stalled: Mapped[int] = mapped_column(server_default=text("0"))
    due_at: Mapped[datetime | None]
    progress_at: Mapped[datetime | None]
    turn_at: Mapped[datetime | None]
    queue: Mapped[str] = mapped_column(server_default="fast")
    held: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    revision: Mapped[int] = mapped_column(server_default=text("0"))
    request_id: Mapped[str | None]

    doing: Mapped[str | None]
    doing_index: Mapped[int | None]
    doing_done: Mapped[int | None]
    doing_total: Mapped[int | None]
    doing_statuses: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    doing_where: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    doing_at: Mapped[datetime | None]
    doing_sends: Mapped[int | None] = mapped_column(SmallInteger)

    __table_args__ = (
        one_of("status", BATCH_STATUSES),
        one_of("phase", ("validate", "run", "dry", "effects")),
        one_of("on_invalid", ("partial", "reject")),
        one_of("doing", LONG_WORK),
        one_of("approval", APPROVALS),
        CheckConstraint(APPROVED, name="approved"),
        CheckConstraint(EFFECTS, name="effects"),
        CheckConstraint(RAMPED, name="ramped"),
        CheckConstraint(
            f"(status IN ({_ENDED})) = (finished_at IS NOT NULL)", name="ended_has_finish"
        ),
        CheckConstraint(
            f"status NOT IN ({_ENDED}) OR completed + failed + invalid + canceled = total",
            name="ended_is_counted",
        ),
        CheckConstraint(
            "completed >= 0 AND failed >= 0 AND invalid >= 0 AND canceled >= 0", name="counts"
        ),
        CheckConstraint("status <> 'SCHEDULED' OR scheduled_at IS NOT NULL", name="schedule"),
        UniqueConstraint("client_id", "dialect", "reference"),
        Index("ix_batches_client_id_id", "client_id", desc("id")),
        # Lists of what did not go well, and of what came by a dialect: most batches are in neither.
        Index(
            "ix_batches_client_id_status_id",
            "client_id",
            "status",
            desc("id"),
            postgresql_where=text(f"status IN ({_NOT_ALL_WELL})"),
        ),
        Index(
            "ix_batches_client_id_dialect_id",
            "client_id",
            "dialect",
            desc("id"),
            postgresql_where=text(f"dialect <> '{NATIVE}'"),
        ),
        # The sweep reads only this: its cost is that of the unfinished batches.
        Index(
            "ix_batches_unfinished",
            "status",
            "due_at",
            postgresql_where=text("finished_at IS NULL"),
        ),
        # The lines of batches that wait for their turn, a client's own in its place.
        Index(
            "ix_batches_turn",
            "queue",
            "client_id",
            "turn_at",
            postgresql_where=text("turn_at IS NOT NULL"),
        ),
        # What quotas count of a client.
        Index(
            "ix_batches_client_id_open",
            "client_id",
            postgresql_where=text("finished_at IS NULL OR doing IS NOT NULL"),
        ),
        # What waits for a breaker.
        Index("ix_batches_held", "id", postgresql_where=text("held IS NOT NULL")),
        Index("ix_batches_doing_at", "doing_at", postgresql_where=text("doing IS NOT NULL")),
        Index(
            "ix_batches_finished_at",
            "finished_at",
            postgresql_where=text("finished_at IS NOT NULL"),
        ),
    )
