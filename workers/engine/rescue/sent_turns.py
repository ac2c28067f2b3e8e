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


def send_turns(runtime: Runtime, waiting: Iterable[WaitingBatch]) -> None:
    """Send messages for these batches, a line's as far as workers are free to take them."""
    lines: dict[str, list[WaitingBatch]] = {}
    for batch in waiting:
        lines.setdefault(batch.queue, []).append(batch)
    for line, batches in lines.items():
        for batch in batches[: _room(runtime, line)]:
            runtime.send_turn(batch.id, line)


def _room(runtime: Runtime, line: str) -> int:
    depth = runtime.queue_depth(turn_queue(line))
    with transaction(runtime.engine) as connection:
        slots = runtime.slots.of(connection, line)
        busy = under_way(connection, runtime, line, None).claimed
    # One more than seems free: a claim may be a dead worker's.
    return min(MOST_SENT, max(0, max(1, slots - busy) - (depth or 0)))
