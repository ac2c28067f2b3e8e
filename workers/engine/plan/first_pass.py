"""The first pass: the items of a batch in order, from `next_index` on."""

from __future__ import annotations

from sqlalchemy import Connection

from app.db.statements.item_planning import FIND_OPERATIONS_OF_ITEMS
from workers.engine.plan.cutter import Cutter
from workers.engine.planned_slice import PlannedSlice


def uniform_pass(cutter: Cutter, room: int) -> tuple[list[PlannedSlice], int]:
    """Ranges of the batch, at most `room`, and where the next pass begins."""
    batch = cutter.batch
    size = cutter.sizes.size(batch.operation, batch.reach - batch.next_index)
    end = min(batch.reach, batch.next_index + room * size)
    return cutter.ranges(batch.next_index, end, size), end


def mixed_pass(
    connection: Connection, cutter: Cutter, room: int, *, most: int
) -> tuple[list[PlannedSlice], int]:
    """The same where items name their operations.

    A slice for each, read until there is room for no more. `most`: items to look at.
    """
    batch = cutter.batch
    last = min(batch.reach, batch.next_index + most) - 1
    rows = connection.execute(
        FIND_OPERATIONS_OF_ITEMS, {"batch_id": batch.id, "first": batch.next_index, "last": last}
    )
    sizes: dict[str | None, int] = {}
    groups: dict[str | None, list[int]] = {}
    slices: list[PlannedSlice] = []
    for index, own in rows:
        operation = own or batch.operation
        if operation not in groups and len(slices) + len(groups) >= room:
            last = index - 1
            break
        if operation not in sizes:
            sizes[operation] = cutter.sizes.size(operation, last - batch.next_index + 1)
        group = groups.setdefault(operation, [])
        group.append(index)
        if len(group) >= sizes[operation]:
            slices.append(cutter.picked(groups.pop(operation), operation))
    slices += [cutter.picked(group, operation) for operation, group in groups.items()]
    return slices, last + 1
