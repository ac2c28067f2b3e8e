"""How long a run took, step by step."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from uuid import UUID


@dataclass
class Timing:
    """A stopwatch, running from its making. `steps`: seconds of each part, in order."""

    batch_id: UUID | None = None
    steps: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=time.perf_counter)

    def step(self, name: str) -> None:
        """Note what has passed since the step before as `name`."""
        now = time.perf_counter()
        self.steps[name] = now - self._last
        self._last = now

    @property
    def seconds(self) -> float:
        """All steps together."""
        return sum(self.steps.values())
