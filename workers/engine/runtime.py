"""What the engine's functions need, wired once a process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Engine

from app.batches.long_work import BEHIND, Pace
from app.core.settings import Settings
from app.operations.known import KnownOperations
from handlers import Registry
from workers.engine.breakers.book import BreakerBook
from workers.engine.figures.costs import CostBook
from workers.engine.figures.rota import Rota
from workers.engine.figures.slots import SlotCount
from workers.engine.planned_slice import PlannedSlice
from workers.engine.process.heartbeat import Heartbeat
from workers.engine.process.stop_sign import StopSign
from workers.engine.process.watchdog import Watch


@dataclass(slots=True)
class Runtime:
    """What the engine's functions work with.

    `send_wave(batch_id, wave, slices)` publishes a chord, slices given with their numbers;
    `send_advance(batch_id, delay)` a task for so many seconds from now; `send_turn(batch_id, line)`
    one for a worker of that line (of all who are in it, it takes whose turn it is). None raises.
    `queue_depth(queue)`: messages that wait in it, or None where that cannot be told. `line`: the
    one whose slices this process runs, None if it runs none. `registry`: what this process can run;
    `known`: what any process can, for planning. `breakers`: what it knows of them. `pace`: of what
    is done in steps.

    Tests of the engine's functions give their own.
    """

    settings: Settings
    engine: Engine
    registry: Registry
    heartbeat: Heartbeat
    send_wave: Callable[[UUID, int, list[tuple[int, PlannedSlice]]], None]
    send_advance: Callable[[UUID, float], None]
    send_turn: Callable[[UUID, str], None] = lambda _batch_id, _line: None
    costs: CostBook = field(default_factory=CostBook)
    slots: SlotCount = field(default_factory=SlotCount)
    line: str | None = "fast"
    turns: Rota = field(default_factory=Rota)
    queue_depth: Callable[[str], int | None] = lambda _queue: None
    known: KnownOperations = field(init=False)
    breakers: BreakerBook = field(default_factory=BreakerBook)
    stopping: StopSign = field(default_factory=StopSign)
    watch: Watch = field(default_factory=Watch)
    pace: Pace = BEHIND

    def __post_init__(self) -> None:
        """Make what follows from the rest."""
        self.known = KnownOperations(
            self.registry, self.engine, stale=self.settings.heartbeat_timeout
        )
        book = self.breakers
        self.heartbeat.carry(
            tries=book.tries,
            now=book.now,
            saw=lambda text, began: book.saw(text, began=began),
        )
