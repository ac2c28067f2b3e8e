"""Messages for batches that are in line: never more than there are workers to take them.

What the sweep has found is remembered by the line itself. A message only says that there is
something to do, so as many as there are free slots are enough, whatever the number of batches; and
none where that many messages are waiting already. So sweeps add nothing to what is queued, however
long it takes.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.db import transaction
from app.db.statements.turns import WaitingBatch
from app.messaging.broker import turn_queue
from workers.engine.plan.room import under_way
from workers.engine.runtime import Runtime

# Messages of a line that are sent at once, at most.
MOST_SENT = 64


def send_turns(runtime: Runtime, waiting: Iterable[WaitingBatch], *, begin: bool = False) -> None:
    """Send messages for these batches, a line's as far as workers are free to take them.

    `begin`: their time has come. Where all workers are at work, any process that may plan is told,
    so that as many begin as there is room for. What they have to do waits for a worker all the
    same.
    """
    lines: dict[str, list[WaitingBatch]] = {}
    for batch in waiting:
        lines.setdefault(batch.queue, []).append(batch)
    for line, batches in lines.items():
        slots, free = _slots(runtime, line)
        if begin and not free:
            for batch in batches[:slots]:
                runtime.send_advance(batch.id, 0.0)
        # One more than seems free: a claim may be a dead worker's.
        room = max(1, free) - (runtime.queue_depth(turn_queue(line)) or 0)
        for batch in batches[: min(MOST_SENT, max(0, room))]:
            runtime.send_turn(batch.id, line)


def _slots(runtime: Runtime, line: str) -> tuple[int, int]:
    """How many there are, and how many of them are free."""
    with transaction(runtime.engine) as connection:
        slots = runtime.slots.of(connection, line)
        return slots, max(0, slots - under_way(connection, runtime, line, None).claimed)
