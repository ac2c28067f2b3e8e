"""Long work of a batch, gone on with by a worker: some steps, and then others have their turn."""

from __future__ import annotations

import time
from uuid import UUID

from app.batches.long_work import PAUSE, Left, continue_long_work
from app.core.lifecycle import CALLERS_WORK
from workers.engine.plan.lane_steps import lane_step
from workers.engine.runtime import Runtime

# Seconds for which lanes are marked at a time, since the batch may be waiting to be planned.
_LANES = 0.5


def go_on(runtime: Runtime, batch_id: UUID, doing: str) -> bool:
    """Make steps of what the batch is `doing`; whether to look at it once more now.

    Where the time is up before the work is done, `advance` is sent for the rest.
    """
    if doing in CALLERS_WORK:
        left = continue_long_work(runtime.engine, batch_id, runtime.pace)
    else:
        left = _lanes(runtime, batch_id)
    if left is Left.MORE:
        runtime.send_advance(batch_id, 0.0)
    # As far as lanes have been marked, the batch may run.
    return left is Left.NOTHING or (left is Left.MORE and doing not in CALLERS_WORK)


def _lanes(runtime: Runtime, batch_id: UUID) -> Left:
    until = time.monotonic() + min(runtime.pace.seconds, _LANES)
    while True:
        left = lane_step(runtime, batch_id)
        if left is not Left.MORE or time.monotonic() >= until:
            return left
        time.sleep(PAUSE)
