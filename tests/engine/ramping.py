"""Batches that begin in steps, as the tests of ramps make them."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.batches.ramp import Ramp
from tests.engine.rig import Rig

OPERATIONS = ["log.one", "log.bulk", "log.outside"]
ENDED = ("SUCCESS", "FAILED", "INVALID", "CANCELED")


def numbered(count: int, failing: Collection[int] = (), **more: Any) -> list[dict[str, Any]]:
    """So many items, of which those are rejected."""
    return [{"uid": n, "do": "reject" if n in failing else "succeed", **more} for n in range(count)]


def submit_ramped(
    rig: Rig,
    items: list[dict[str, Any]],
    *steps: int,
    operation: str | None = "log.one",
    hold: str = "approve",
    percent: float = 100,
    **options: Any,
) -> UUID:
    """A batch with these steps. `percent`: of a step's items that may fail."""
    ramp = Ramp(steps, hold, Decimal(str(percent)))
    return rig.submit(operation, items, ramp=ramp, **options)


def until_held(rig: Rig, batch_id: UUID) -> Any:
    """Its row, once it is held, or has ended; and all that can happen meanwhile has happened."""
    rig.run_until(lambda batch: batch.status == "PAUSED", batch_id)
    rig.deliver_all()
    rig.time_passes()
    rig.sweep()
    rig.deliver_all()
    return rig.batch(batch_id)


def ended_of(rig: Rig, batch_id: UUID) -> list[int]:
    """Which items have ended."""
    return [row.index for row in rig.items(batch_id) if row.status in ENDED]
