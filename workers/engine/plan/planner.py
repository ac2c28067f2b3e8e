"""Cutting the next wave out of a batch: which items are due, and how they fall into slices.

Two sources feed a wave. The first pass walks the batch in order: `next_index` says how far it
got, and a slice is then just a range. Items that wait for a moment of their own (`due_at`:
retries, deferrals, repeated keys, what a dead worker held) are picked one by one. They get at
most half of a wave while the first pass is not through, so that neither starves the other.

An operation with a rate limit gets small slices, and a wave of no more of them than a few
seconds' worth, so that its turn is shared with the other batches that wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, text

from app.core.settings import Settings
from app.messaging.broker import EXPRESS_QUEUE, FAST_QUEUE, SLOW_QUEUE
from handlers import Registry
from workers.engine.outcome.regroup import ALONE, SUSPECTS
from workers.engine.plan.costs import slice_size
from workers.engine.planned_slice import PlannedSlice

_LIVE_SLOTS = text(
    """SELECT coalesce(sum(slots), 0) FROM workers
    WHERE queue = :queue AND heartbeat_at > now() - make_interval(secs => :stale)"""
)
# Those that waited longest first, so that deferred items take turns.
_DUE = text(
    """
    SELECT i.index, i.lane, i.operation, i.crashes, i.deferred FROM items i
    WHERE i.batch_id = :batch_id AND i.due_at <= now() AND i.status = 'PENDING'
      AND i.lane IS NULL
    ORDER BY i.due_at, i.index LIMIT :limit
    """
)
# In order within each lane, and not before an earlier item whose time is still to come. Those are
# looked for once, not for each item: a lane may be as long as its batch.
_DUE_LANES = text(
    """
    WITH later AS MATERIALIZED (
        SELECT lane, min(index) AS first FROM items
        WHERE batch_id = :batch_id AND due_at > now() AND status = 'PENDING' AND lane IS NOT NULL
        GROUP BY lane
    )
    SELECT i.index, i.lane, i.operation, i.crashes, i.deferred
    FROM items i LEFT JOIN later ON later.lane = i.lane
    WHERE i.batch_id = :batch_id AND i.due_at <= now() AND i.status = 'PENDING'
      AND i.lane IS NOT NULL AND (later.first IS NULL OR i.index < later.first)
    ORDER BY i.lane, i.index LIMIT :limit
    """
)
_OPERATIONS = text(
    """SELECT index, operation FROM items
    WHERE batch_id = :batch_id AND index >= :first AND index <= :last
      AND status = 'PENDING' AND due_at IS NULL ORDER BY index"""
)
_MIN_WAVE_SLICES = 8
_SLICES_A_SLOT = 8
_LIMITED_WAVE_SECONDS = 5
# Deferred items for one slice of an operation that gathers them: some seconds' worth.
_GATHERED = 50_000
_SMALL_BATCH = 500


@dataclass(slots=True)
class Plan:
    """The next wave's slices, and how far the first pass then is."""

    slices: list[PlannedSlice] = field(default_factory=list)
    next_index: int = 0


def plan_wave(connection: Connection, settings: Settings, registry: Registry, batch: Any) -> Plan:
    """The next wave of `batch` (a row of batches); without slices where nothing is due now."""
    return _Planner(connection, settings, registry, batch).plan()


class _Planner:
    def __init__(
        self, connection: Connection, settings: Settings, registry: Registry, batch: Any
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._registry = registry
        self._batch = batch
        self._slots: dict[str, int] = {}

    def plan(self) -> Plan:
        batch = self._batch
        plan = Plan(next_index=batch.next_index)
        room = self._wave_slices(batch.operation)
        left = batch.total - batch.next_index
        if batch.phase != "validate":
            plan.slices += self._due_slices(room if left <= 0 else max(1, room // 2))
        room -= len(plan.slices)
        if left > 0 and room > 0:
            first_pass = (
                self._mixed_pass
                if batch.mixed and batch.phase != "validate"
                else self._uniform_pass
            )
            slices, plan.next_index = first_pass(room)
            plan.slices += slices
        return plan

    def _uniform_pass(self, room: int) -> tuple[list[PlannedSlice], int]:
        """Ranges of the batch from `next_index` on, and where the next pass begins."""
        batch = self._batch
        size = self._size(batch.operation, batch.total - batch.next_index)
        end = min(batch.total, batch.next_index + room * size)
        queue = self._queue(batch.operation)
        limited = self._limited([batch.operation])
        slices = [
            PlannedSlice(
                start,
                min(start + size, end) - 1,
                min(size, end - start),
                queue,
                batch.operation,
                limited=limited,
            )
            for start in range(batch.next_index, end, size)
        ]
        return slices, end

    def _mixed_pass(self, room: int) -> tuple[list[PlannedSlice], int]:
        """The same where items name their operations.

        A slice for each, read until there is room for no more.
        """
        batch = self._batch
        last = min(batch.total, batch.next_index + room * self._settings.max_slice_items) - 1
        rows = self._connection.execute(
            _OPERATIONS, {"batch_id": batch.id, "first": batch.next_index, "last": last}
        )
        sizes: dict[str | None, int] = {}
        groups: dict[str | None, list[int]] = {}
        slices: list[PlannedSlice] = []
        row: Any
        for row in rows:
            operation = row.operation or batch.operation
            if operation not in groups and len(slices) + len(groups) >= room:
                last = row.index - 1
                break
            if operation not in sizes:
                sizes[operation] = self._size(operation, last - batch.next_index + 1)
            group = groups.setdefault(operation, [])
            group.append(row.index)
            if len(group) >= sizes[operation]:
                slices.append(self._picked(groups.pop(operation), operation))
        slices += [self._picked(group, operation) for operation, group in groups.items()]
        return slices, last + 1

    def _due_slices(self, room: int) -> list[PlannedSlice]:
        size = self._size(self._batch.operation, self._batch.total)
        # What gathers waits until the first pass is through and all are there.
        gathering = self._batch.next_index >= self._batch.total
        most = _GATHERED if gathering and self._gathers(self._batch.operation) else 0
        limit = {"batch_id": self._batch.id, "limit": max(room * size, most)}
        rows: Sequence[Any] = self._connection.execute(_DUE, limit).all()
        laned = self._connection.execute(_DUE_LANES, limit).all() if self._batch.may_repeat else []
        alone = [row for row in rows if row.crashes >= ALONE]
        suspects = [row for row in rows if 0 < row.crashes < ALONE]
        loose = [row for row in rows if not row.crashes]
        lanes: list[list[Any]] = []
        suspect_lanes: list[list[Any]] = []
        for _, group in groupby(laned, key=lambda row: row.lane):
            lane = list(group)
            if lane[0].crashes >= ALONE:
                alone.append(lane[0])
            elif lane[0].crashes:
                suspect_lanes.append(self._together(lane)[:SUSPECTS])
            else:
                lanes.append(self._together(lane)[:size])
        # What a worker died with is tried in small company, and if one dies again, by itself.
        slices = [self._picked([row.index], row.operation) for row in alone]
        slices += self._by_operation(suspects, size=SUSPECTS)
        if gathering:
            together = [row for row in loose if self._gathered(row)]
            slices += self._by_operation(together, size=_GATHERED)
        single = [row for row in loose if not self._gathered(row)]
        slices += self._by_operation(single, size=None)
        for inside in (True, False):
            alike = [lane for lane in lanes if self._inside(lane[0]) == inside]
            slices += self._lane_slices(alike, size)
            alike = [lane for lane in suspect_lanes if self._inside(lane[0]) == inside]
            slices += self._lane_slices(alike, SUSPECTS)
        return slices[: max(room, 1)]

    def _lane_slices(self, lanes: Sequence[Sequence[Any]], size: int) -> Iterator[PlannedSlice]:
        """Slices that hold a lane's next items together, since they may not run side by side."""
        picks: list[Any] = []
        for lane in lanes:
            if picks and len(picks) + len(lane) > size:
                yield self._picked_rows(picks)
                picks = []
            picks += lane
        if picks:
            yield self._picked_rows(picks)

    def _picked_rows(self, rows: Sequence[Any]) -> PlannedSlice:
        operations = sorted({row.operation or self._batch.operation for row in rows})
        queues = sorted({self._queue(operation) for operation in operations})
        return _slice(
            [row.index for row in rows],
            operations[0] if len(operations) == 1 else None,
            SLOW_QUEUE if SLOW_QUEUE in queues else queues[0],
            self._limited(operations),
        )

    def _together(self, lane: Iterable[Any]) -> list[Any]:
        """The beginning of a lane that one slice can run.

        Either with effects in the database or elsewhere, and as often held by a worker that died.
        """
        rows: list[Any] = []
        for row in lane:
            first = rows[0] if rows else row
            if row.crashes != first.crashes or self._inside(row) != self._inside(first):
                break
            rows.append(row)
        return rows

    def _inside(self, row: Any) -> bool:
        operation = self._registry.get(row.operation or self._batch.operation)
        return operation is None or operation.in_database

    def _gathered(self, row: Any) -> bool:
        """Whether the item belongs with all others that wait: see Operation."""
        return row.deferred and self._gathers(row.operation or self._batch.operation)

    def _gathers(self, operation: str | None) -> bool:
        known = self._registry.get(operation)
        return known is not None and known.gathers

    def _by_operation(self, rows: Iterable[Any], *, size: int | None) -> Iterator[PlannedSlice]:
        """Slices of `size` items, or of what their operation has cost lately."""
        groups: dict[str | None, list[int]] = {}
        for row in rows:
            groups.setdefault(row.operation or self._batch.operation, []).append(row.index)
        for operation, indexes in groups.items():
            step = size or self._size(operation, len(indexes))
            for start in range(0, len(indexes), step):
                yield self._picked(indexes[start : start + step], operation)

    def _picked(self, indexes: list[int], operation: str | None) -> PlannedSlice:
        operation = operation or self._batch.operation
        return _slice(indexes, operation, self._queue(operation), self._limited([operation]))

    def _limited(self, operations: Iterable[str | None]) -> list[str] | None:
        """Those with a limit over all workers, of operations that are to be run."""
        if self._batch.phase != "run":
            return None
        known = filter(None, map(self._registry.get, operations))
        return [operation.name for operation in known if operation.limited] or None

    def _size(self, operation: str | None, left: int) -> int:
        """Slices of the measured size, smaller where every process could not get one."""
        known = self._registry.get(operation)
        size = slice_size(self._connection, self._settings, known)
        if known is not None and known.rate_limit is not None:
            size = max(1, min(size, int(known.rate_limit * self._settings.slice_target_seconds)))
        slots = self._live_slots(self._queue(operation))
        share = -(-left // slots)
        # Below this a slice costs more to send than its items to do.
        return max(1, min(size, max(share, min(size, 100))))

    def _wave_slices(self, operation: str | None) -> int:
        slices = max(_MIN_WAVE_SLICES, _SLICES_A_SLOT * self._live_slots(self._queue(operation)))
        known = self._registry.get(operation)
        if known is None:
            return slices
        if known.concurrency is not None:
            slices = min(slices, max(_MIN_WAVE_SLICES, _SLICES_A_SLOT * known.concurrency))
        if known.rate_limit is not None:
            a_second = known.rate_limit / self._size(operation, self._batch.total)
            slices = min(slices, max(2, int(a_second * _LIMITED_WAVE_SECONDS)))
        return slices

    def _live_slots(self, queue: str) -> int:
        consumers = SLOW_QUEUE if queue == SLOW_QUEUE else FAST_QUEUE
        if consumers not in self._slots:
            found = self._connection.execute(
                _LIVE_SLOTS, {"queue": consumers, "stale": self._settings.heartbeat_timeout}
            ).scalar_one()
            self._slots[consumers] = max(1, int(found))
        return self._slots[consumers]

    def _queue(self, operation: str | None) -> str:
        known = self._registry.get(operation)
        if known is not None and known.queue == "slow":
            return SLOW_QUEUE
        # A small batch overtakes the waves of the large ones.
        return EXPRESS_QUEUE if self._batch.total <= _SMALL_BATCH else FAST_QUEUE


def _slice(
    indexes: list[int], operation: str | None, queue: str, limited: list[str] | None
) -> PlannedSlice:
    picks = sorted(indexes)
    return PlannedSlice(picks[0], picks[-1], len(picks), queue, operation, picks, limited)
