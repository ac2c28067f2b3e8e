"""Cutting slices out of a batch: which items are due, and how they fall into slices.

Two sources feed a plan. The first pass (`first_pass.py`) walks the batch in order: `next_index`
says how far it got, and a slice is then just a range. Items that are due at a time of their own
(`due_at`: retries, deferrals, repeated keys, what a dead worker held) are picked one by one
(`due_items.py`). They get at most half of the room until the first pass is done, and where there is
room for one slice only, as there is mostly where many batches wait, every second wave: so neither
starves the other, though an item that waits for one further on is due all the while. How large
slices are: `sizes.py`; how many there may be: `room.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection

from app.core import lifecycle
from app.db.statements.batches import BatchRow
from workers.engine.plan.cutter import Cutter
from workers.engine.plan.due_items import due_slices
from workers.engine.plan.first_pass import mixed_pass, uniform_pass
from workers.engine.plan.held import look, release
from workers.engine.plan.sizes import Sizes
from workers.engine.planned_slice import PlannedSlice
from workers.engine.runtime import Runtime


@dataclass(slots=True)
class Plan:
    """The next slices, how far the first pass then is, and whether there is more to plan now.

    `held`: the breakers for which the batch waits as a whole; then there are no slices.
    """

    slices: list[PlannedSlice] = field(default_factory=list)
    next_index: int = 0
    more: bool = False
    held: tuple[int, ...] = ()


def plan_wave(
    connection: Connection, runtime: Runtime, batch: BatchRow, *, room: int, unfinished: int
) -> Plan:
    """At most `room` slices of `batch`; none where nothing is due now.

    `unfinished`: slices of it that are under way already.
    """
    sizes = Sizes(connection, runtime, batch.total)
    cutter = Cutter(runtime.known, sizes, batch)
    plan = Plan(next_index=batch.next_index)
    kept = look(connection, runtime, batch, unfinished=unfinished)
    if kept.whole:
        plan.held = kept.whole
        return plan
    limit = sizes.most_limited(batch.operation)
    if limit is not None and limit - unfinished < room:
        # The next slice that ends brings the batch back into line.
        room = limit - unfinished
    else:
        limit = None
    left = batch.reach - batch.next_index
    if room <= 0:
        return plan
    if kept.one:
        room = limit = 1
        sizes.most = 1
    release(connection, runtime, batch, room * sizes.size(batch.operation, batch.total))
    if batch.phase != "validate" and not _fresh(batch):
        most = room if left <= 0 else (room + batch.wave % 2) // 2
        if most:
            plan.slices, plan.more = due_slices(connection, cutter, most, beside=unfinished > 0)
    room -= len(plan.slices)
    if left > 0 and room > 0:
        if batch.mixed and batch.phase != "validate":
            slices, plan.next_index = mixed_pass(
                connection, cutter, room, most=room * runtime.settings.max_slice_items
            )
        else:
            slices, plan.next_index = uniform_pass(cutter, room)
        plan.slices += slices
    plan.more = limit is None and (plan.more or plan.next_index < batch.reach)
    return plan


def _fresh(batch: BatchRow) -> bool:
    """Whether nothing of the batch has begun, and none of it waits for a moment of its own."""
    return batch.status == lifecycle.PENDING and not batch.next_index and not batch.may_repeat
