"""Breakers: operations that are left alone, and what was counted to know it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, UniqueConstraint, func
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from app.core.lifecycle import BREAKER_STATUSES
from app.db.models.base import Base, one_of


class Breaker(Base):
    """Whether items of an operation may begin: `closed` lets them, `open` does not.

    Made by the first try that fails for a reason outside its item, or by hand. `base`: which of the
    operation's bases it is about, empty for all of the operation. `by_hand`: an admin has opened
    it, so that nothing is tried. `rest`: seconds between two tries, the next of which may be at
    `probe_at`. `probing`: one item is being tried, by `probe_worker` and under `probe_token`, until
    `probe_until` at the latest. `paced_until`: nothing begins before that either, though all is
    well: whoever is called has asked for it.

    The breaker's `id` is also the moment that items wait for that wait for it
    (app/db/statements/breakers.py).
    """

    __tablename__ = "breakers"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    operation: Mapped[str]
    base: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default="closed")
    by_hand: Mapped[bool] = mapped_column(server_default=sql("false"))
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    rest: Mapped[float] = mapped_column(server_default=sql("15"))
    probe_at: Mapped[datetime | None]
    probe_token: Mapped[UUID | None]
    probe_worker: Mapped[UUID | None]
    probe_until: Mapped[datetime | None]
    paced_until: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("operation", "base"),
        one_of("status", BREAKER_STATUSES),
        CheckConstraint("by_hand <= (status = 'open')", name="opened_by_hand"),
        CheckConstraint(
            "(status = 'open' AND NOT by_hand) = (probe_at IS NOT NULL)", name="open_tries_again"
        ),
        CheckConstraint(
            "(status = 'probing') = (probe_token IS NOT NULL)"
            " AND (status = 'probing') = (probe_worker IS NOT NULL)"
            " AND (status = 'probing') = (probe_until IS NOT NULL)",
            name="probing_is_somebodys",
        ),
    )


class BreakerFailures(Base):
    """Tries that failed for a reason outside their items, within a tenth of a breaker's window.

    `at`: where that tenth begins. What is older than the window goes with the next that is counted.
    """

    __tablename__ = "breaker_failures"

    breaker_id: Mapped[int] = mapped_column(
        ForeignKey("breakers.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    at: Mapped[datetime] = mapped_column(primary_key=True)
    failed: Mapped[int]
