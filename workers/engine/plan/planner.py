"""Cutting the next wave out of a batch: which items are due, and how they fall into slices.

Two sources feed a wave. The first pass (`first_pass.py`) walks the batch in order: `next_index`
says how far it got, and a slice is then just a range. Items that are due at a time of their own
(`due_at`: retries, deferrals, repeated keys, what a dead worker held) are picked one by one
(`due_items.py`). They get at most half of a wave until the first pass is done, so that neither
starves the other. How large slices and waves are: `sizes.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection

from app.core.settings import Settings
from app.db.statements.batches import BatchRow
from handlers import Registry
from workers.engine.plan.cutter import Cutter
from workers.engine.plan.due_items import due_slices
from workers.engine.plan.first_pass import mixed_pass, uniform_pass
from workers.engine.plan.sizes import Sizes
from workers.engine.planned_slice import PlannedSlice


@dataclass(slots=True)
class Plan:
    """The next wave's slices, and how far the first pass then is."""

    slices: list[PlannedSlice] = field(default_factory=list)
    next_index: int = 0


def plan_wave(
    connection: Connection, settings: Settings, registry: Registry, batch: BatchRow
) -> Plan:
    """The next wave of `batch`; without slices where nothing is due now."""
    sizes = Sizes(connection, settings, registry, batch.total)
    cutter = Cutter(registry, sizes, batch)
    plan = Plan(next_index=batch.next_index)
    room = sizes.wave_slices(batch.operation)
    left = batch.total - batch.next_index
    if batch.phase != "validate":
        plan.slices += due_slices(connection, cutter, room if left <= 0 else max(1, room // 2))
    room -= len(plan.slices)
    if left > 0 and room > 0:
        if batch.mixed and batch.phase != "validate":
            slices, plan.next_index = mixed_pass(
                connection, cutter, room, most=room * settings.max_slice_items
            )
        else:
            slices, plan.next_index = uniform_pass(cutter, room)
        plan.slices += slices
    return plan
