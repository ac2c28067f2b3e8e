"""Items that are due at a time of their own: retries, deferrals, lanes, items of dead workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from sqlalchemy import Connection

from app.db.statements.item_planning import (
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

    `beside`: slices of the batch are under way. What those hold is left out, and what waits for
    other items of the batch waits until they are through.
    """
    batch = cutter.batch
    size = cutter.sizes.size(batch.operation, batch.total)
    # Items that are gathered wait until the first pass is done, so that all are there.
    gathering = batch.next_index >= batch.total and not beside
    most = _GATHERED if gathering and cutter.gathers(batch.operation) else 0
    limit = {"batch_id": batch.id, "limit": max(room * size, most)}
    items = rows_of(DueItem, connection.execute(find_due_items(beside=beside), limit))
    laned = (
        rows_of(DueItem, connection.execute(find_due_items_of_lanes(beside=beside), limit))
        if batch.may_repeat
        else []
    )
    alone = [item for item in items if item.crashes >= ALONE]
    suspects = [item for item in items if 0 < item.crashes < ALONE]
    loose = [item for item in items if not item.crashes]
    lanes: list[list[DueItem]] = []
    suspect_lanes: list[list[DueItem]] = []
    for _, group in groupby(laned, key=lambda item: item.lane):
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
    if gathering:
        slices += cutter.by_operation(
            [item for item in loose if _gathered(cutter, item)], size=_GATHERED
        )
    slices += cutter.by_operation([item for item in loose if not _gathered(cutter, item)])
    for inside in (True, False):
        alike = [lane for lane in lanes if _inside(cutter, lane[0]) == inside]
        slices += _lane_slices(cutter, alike, size)
        alike = [lane for lane in suspect_lanes if _inside(cutter, lane[0]) == inside]
        slices += _lane_slices(cutter, alike, SUSPECTS)
    most = max(room, 1)
    return slices[:most], len(slices) > most or limit["limit"] in (len(items), len(laned))


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
