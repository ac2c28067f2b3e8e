"""Items that are due at a time of their own: retries, deferrals, lanes, items of dead workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from sqlalchemy import Connection

from app.db.statements.item_planning import (
    FIND_DEFERRED_ITEMS_OF_LANES,
    DueItem,
    find_due_items,
    find_due_items_of_lanes,
)
from app.db.statements.rows import rows_of
from workers.engine.outcome.regroup import ALONE, SUSPECTS
from workers.engine.plan.cutter import Cutter
from workers.engine.planned_slice import PlannedSlice

# Most deferred items in one slice, for an operation that gathers them: a few seconds of work.
_GATHERED = 50_000


def due_slices(
    connection: Connection, cutter: Cutter, room: int, *, beside: bool
) -> tuple[list[PlannedSlice], bool]:
    """Slices of what is due by now, at most `room`; and whether there may be more of it.

    `beside`: slices of the batch are under way. What those have picked is left out. What waits for
    other items of the batch comes after all that does not, and not beside slices that may bring it
    on: it is due again as soon as it has been tried, and would be tried for ever.
    """
    batch = cutter.batch
    size = cutter.sizes.size(batch.operation, batch.total)
    limit = {"batch_id": batch.id, "limit": room * size}
    found = _Due(
        rows_of(DueItem, connection.execute(find_due_items(beside=beside), limit)),
        rows_of(
            DueItem,
            connection.execute(
                find_due_items_of_lanes(beside=beside, ramped=batch.ramped),
                {**limit, "end": batch.end} if batch.ramped else limit,
            ),
        )
        if batch.may_repeat
        else [],
    )
    slices = _cut(cutter, found, size)
    full = room * size in (len(found.loose), len(found.laned)) or len(slices) > room
    if len(slices) < room and not beside:
        slices += _deferred_slices(connection, cutter, room - len(slices), size)
        full = full or len(slices) > room
    return slices[:room], full


def _deferred_slices(
    connection: Connection, cutter: Cutter, room: int, size: int
) -> list[PlannedSlice]:
    batch = cutter.batch
    # Items that are gathered wait until the first pass is done, so that all are there.
    gathering = batch.next_index >= batch.end
    most = _GATHERED if gathering and cutter.gathers(batch.operation) else 0
    limit = {"batch_id": batch.id, "limit": max(room * size, most)}
    loose = rows_of(DueItem, connection.execute(find_due_items(deferred=True), limit))
    laned = (
        rows_of(
            DueItem, connection.execute(FIND_DEFERRED_ITEMS_OF_LANES, {**limit, "end": batch.end})
        )
        if batch.may_repeat
        else []
    )
    slices: list[PlannedSlice] = []
    if gathering:
        together = [item for item in loose if _gathered(cutter, item) and not item.crashes]
        slices += cutter.by_operation(together, size=_GATHERED)
        loose = [item for item in loose if item.crashes or not _gathered(cutter, item)]
    # Which are cut off is another's turn each time: what was tried last is due last.
    return slices + _alternately(
        _cut(cutter, _Due(loose, []), size), _cut(cutter, _Due([], laned), size)
    )


@dataclass(frozen=True, slots=True)
class _Due:
    """What is due: in no lane, and in lanes, those of a lane in order one behind the other."""

    loose: list[DueItem]
    laned: list[DueItem]


def _cut(cutter: Cutter, due: _Due, size: int) -> list[PlannedSlice]:
    """Slices of that: first what a worker died with, then one of each kind in turn."""
    alone = [item for item in due.loose if item.crashes >= ALONE]
    suspects = [item for item in due.loose if 0 < item.crashes < ALONE]
    lanes: list[list[DueItem]] = []
    suspect_lanes: list[list[DueItem]] = []
    for _, group in groupby(due.laned, key=lambda item: item.lane):
        lane = list(group)
        if lane[0].crashes >= ALONE:
            alone.append(lane[0])
        elif lane[0].crashes:
            suspect_lanes.append(_together(cutter, lane)[:SUSPECTS])
        else:
            lanes.append(_together(cutter, lane)[:size])
    # Items that a worker died with are tried in small groups, after a second death alone.
    slices = [cutter.picked([item.index], item.operation) for item in alone]
    slices += cutter.by_operation(suspects, size=SUSPECTS)
    slices += _slices_of_lanes(cutter, suspect_lanes, SUSPECTS)
    loose = list(cutter.by_operation(item for item in due.loose if not item.crashes))
    return slices + _alternately(loose, _slices_of_lanes(cutter, lanes, size))


def _slices_of_lanes(
    cutter: Cutter, lanes: Sequence[Sequence[DueItem]], size: int
) -> list[PlannedSlice]:
    slices: list[PlannedSlice] = []
    for inside in (True, False):
        alike = [lane for lane in lanes if _inside(cutter, lane[0]) == inside]
        slices += _lane_slices(cutter, alike, size)
    return slices


def _alternately(one: list[PlannedSlice], other: list[PlannedSlice]) -> list[PlannedSlice]:
    """One of each in turn, so that neither takes all of the room."""
    return [each for both in zip_longest(one, other) for each in both if each is not None]


def _lane_slices(
    cutter: Cutter, lanes: Sequence[Sequence[DueItem]], size: int
) -> Iterator[PlannedSlice]:
    """Slices that hold a lane's next items together, since they may not run side by side."""
    picks: list[DueItem] = []
    for lane in lanes:
        if picks and len(picks) + len(lane) > size:
            yield cutter.picked_items(picks)
            picks = []
        picks += lane
    if picks:
        yield cutter.picked_items(picks)


def _together(cutter: Cutter, lane: Iterable[DueItem]) -> list[DueItem]:
    """The beginning of a lane that one slice can run.

    Its items have the same kind of effects (in the database or elsewhere), and have been held at
    equally many deaths of workers.
    """
    items: list[DueItem] = []
    for item in lane:
        first = items[0] if items else item
        if item.crashes != first.crashes or _inside(cutter, item) != _inside(cutter, first):
            break
        items.append(item)
    return items


def _inside(cutter: Cutter, item: DueItem) -> bool:
    operation = cutter.operation_of(item)
    return operation is None or operation.in_database


def _gathered(cutter: Cutter, item: DueItem) -> bool:
    """Whether the item belongs with all others that wait: see Operation."""
    return item.deferred and cutter.gathers(item.operation or cutter.batch.operation)
