"""A slice as it is planned and sent: what a message to a worker is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlannedSlice:
    """A slice to be: a range of the first pass, or `picks`.

    `size`: items, for the summary. `limited`: those of its operations that have a limit over all
    workers, None if none has. `delay`: seconds until it should be given to a worker.
    """

    first_index: int
    last_index: int
    size: int
    queue: str
    operation: str | None
    picks: list[int] | None = None
    limited: list[str] | None = None
    delay: float = 0.0
