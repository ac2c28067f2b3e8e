"""How things stand: looked up at most once in a while, however many pages are open."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine

from app.batches.batch_view import BatchView
from app.batches.ended_items import Ended, ended_lately
from app.batches.queries import list_batches
from app.core.lifecycle import BREAKER_CLOSED
from app.db import read
from app.db.statements.breakers import LIST_BREAKERS, BreakerRow
from app.db.statements.gauges import COUNT_WORKERS
from app.db.statements.overview import (
    CauseRow,
    count_in_line,
    count_unfinished,
    find_oldest_waiting,
    list_latest_causes,
)
from app.db.statements.rows import rows_of

LATEST = 8
CAUSES, CAUSES_OF = 5, 30
"""Failures that are shown, and of how many batches, the newest in which items failed."""
# With the half second after which a page asks again: within a second, as all that is live.
_FRESH = 0.4
_SELDOM = 20.0
"""Seconds for which what costs more is kept: the day, and the causes."""
_MOST_KEPT = 200


@dataclass(frozen=True, slots=True)
class Oldest:
    """The batch that has waited longest, and since when."""

    id: UUID
    since: datetime


@dataclass(frozen=True, slots=True)
class Workers:
    """Live worker processes of a queue, the slices they can do at once, and who takes nothing."""

    queue: str
    number: int
    slots: int
    starving: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What the page shows. `unfinished`: batches and items by status; `in_line` by queue.

    `breakers`: those that are open or probing, whoever's batches they hold.
    """

    unfinished: dict[str, tuple[int, int]]
    oldest: Oldest | None
    in_line: dict[str, int]
    workers: list[Workers]
    breakers: list[BreakerRow]
    hour: list[Ended]
    day: list[Ended]
    latest: list[BatchView]
    causes: list[CauseRow]

    @property
    def items_waiting(self) -> int:
        """Items of batches that run or are to run, and have not ended."""
        return sum(items for _, items in map(self._of, ("PENDING", "RUNNING", "PAUSED")))

    @property
    def running(self) -> int:
        """Batches under way."""
        return self.batches("PENDING", "RUNNING")

    def batches(self, *statuses: str) -> int:
        """Batches in one of these."""
        return sum(batches for batches, _ in map(self._of, statuses))

    def _of(self, status: str) -> tuple[int, int]:
        return self.unfinished.get(status, (0, 0))

    @property
    def per_minute(self) -> int:
        """Items that ended in the last whole minute."""
        return self.hour[-2].total

    @property
    def hour_total(self) -> Ended:
        """All of the last hour."""
        return Ended(
            sum(each.completed for each in self.hour), sum(each.failed for each in self.hour)
        )


@dataclass(slots=True)
class _Kept:
    """What is kept for one client, and until when; `lock` is had by who looks it up."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    until: float = float("-inf")
    figures: Figures | None = None
    seldom_until: float = float("-inf")
    day: list[Ended] = field(default_factory=list)
    causes: list[CauseRow] = field(default_factory=list)


class Board:
    """The figures by client, of one process; safe to share between its threads.

    `clock`: a monotonic one, in seconds. Who asks while they are being looked up waits for those,
    and for nobody else's: a client with much to be looked up makes no other wait.
    """

    def __init__(self, engine: Engine, *, stale: float, patience: float) -> None:
        self._engine = engine
        self._live = {"stale": stale, "patience": patience}
        self._clock: Callable[[], float] = time.monotonic
        self._lock = threading.Lock()
        self._kept: dict[UUID | None, _Kept] = {}

    def figures(self, client_id: UUID | None) -> Figures:
        """Those of a client, or of all for None; up to `_FRESH` seconds old."""
        kept = self._kept_for(client_id)
        with kept.lock:
            if kept.figures is None or self._clock() >= kept.until:
                kept.figures = read(
                    self._engine, lambda connection: self._look(connection, client_id, kept)
                )
                kept.until = self._clock() + _FRESH
            return kept.figures

    def _kept_for(self, client_id: UUID | None) -> _Kept:
        with self._lock:
            if client_id not in self._kept and len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            return self._kept.setdefault(client_id, _Kept())

    def _look(self, connection: Connection, client_id: UUID | None, kept: _Kept) -> Figures:
        of_client = client_id is not None
        given = {"client_id": client_id} if of_client else {}
        self._look_seldom(connection, client_id, kept)
        oldest = connection.execute(find_oldest_waiting(of_client=of_client), given).one_or_none()
        return Figures(
            unfinished={
                row.status: (int(row.batches), int(row.items))
                for row in connection.execute(count_unfinished(of_client=of_client), given)
            },
            oldest=None if oldest is None else Oldest(oldest.id, oldest.since),
            in_line={
                row.queue: int(row.number)
                for row in connection.execute(count_in_line(of_client=of_client), given)
            },
            workers=sorted(
                (
                    Workers(row.queue, int(row.number), int(row.slots), int(row.starving))
                    for row in connection.execute(COUNT_WORKERS, self._live)
                ),
                key=lambda each: each.queue,
            ),
            breakers=[
                row
                for row in rows_of(BreakerRow, connection.execute(LIST_BREAKERS))
                if row.status != BREAKER_CLOSED
            ],
            hour=ended_lately(connection, client_id, minutes=60, step=1),
            day=kept.day,
            causes=kept.causes,
            # Without what is not shown of them, which is most of what would be kept.
            latest=[
                replace(each, metadata=None)
                for each in list_batches(connection, client_id, limit=LATEST)[0]
            ],
        )

    def _look_seldom(self, connection: Connection, client_id: UUID | None, kept: _Kept) -> None:
        if self._clock() < kept.seldom_until:
            return
        kept.day = ended_lately(connection, client_id, minutes=24 * 60, step=15)
        given = {"client_id": client_id, "batches": CAUSES_OF, "limit": CAUSES}
        found = connection.execute(list_latest_causes(of_client=client_id is not None), given)
        kept.causes = rows_of(CauseRow, found)
        kept.seldom_until = self._clock() + _SELDOM
