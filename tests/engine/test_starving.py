"""A process notices that it takes nothing although it could; and nothing else is taken for that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from app.core.ids import new_id
from tests.engine.rig import Rig
from tests.support.clock import Clock
from workers.engine.process.heartbeat import Heartbeat
from workers.engine.process.slots import Slots
from workers.engine.process.starving import Starvation
from workers.engine.rescue.starving_workers import note_starving_workers

PATIENCE = 30.0


class Process:
    """A process of two slots that looks every three seconds."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.slots = Slots(2, clock=self.clock)
        self.waiting: dict[str, int | None] = {"control": 0, "fast": 5}
        self.stopping = False
        self.starvation = Starvation(
            self.slots,
            ["control", "fast"],
            self.waiting.__getitem__,
            patience=PATIENCE,
            interval=3,
            excused=lambda: self.stopping,
            give_up=lambda: None,
            clock=self.clock,
        )

    def looks(self, times: int) -> list[bool]:
        """What it says, look after look."""
        said = []
        for _ in range(times):
            self.clock.forward(3)
            said.append(self.starvation.look())
        return said


def test_it_is_so_when_messages_have_waited_for_long_enough() -> None:
    process = Process()
    # The first look finds out what has been taken so far, the second that nothing was.
    assert process.looks(11) == [False] * 11
    assert process.starvation.seconds == 27
    assert process.looks(1) == [True]


def test_a_message_taken_begins_it_anew() -> None:
    process = Process()
    process.looks(10)
    process.slots.began()
    process.slots.ended()
    assert process.looks(11) == [False] * 11
    assert process.looks(1) == [True]


def test_one_slot_at_work_does_not_excuse_the_other() -> None:
    process = Process()
    process.slots.began()
    assert process.looks(12)[-1]


def test_all_slots_at_work_do() -> None:
    process = Process()
    process.slots.began()
    process.slots.began()
    assert not any(process.looks(40))
    assert process.starvation.seconds is None


def test_nothing_to_take_is_no_starving() -> None:
    process = Process()
    process.waiting["fast"] = 0
    assert not any(process.looks(40))
    process.waiting["fast"] = None  # the broker does not say
    assert not any(process.looks(40))


def test_who_is_told_to_stop_need_not_take_anything() -> None:
    process = Process()
    process.stopping = True
    assert not any(process.looks(40))


def test_a_process_that_was_frozen_gets_the_whole_time() -> None:
    process = Process()
    process.looks(5)
    process.clock.forward(100)
    assert process.looks(11) == [False] * 11


def test_its_heartbeat_says_so_and_the_sweep_sees_it(rig: Rig) -> None:
    slots = Slots(4)
    slots.began()
    starving: list[float | None] = [None]
    heartbeat = Heartbeat(
        new_id(),
        rig.engine,
        queue="slow",
        slots=4,
        interval=3600,
        operations=["b.two", "a.one"],
        queues=["slow", "control"],
        slots_used=slots,
        starving=lambda: starving[0],
    )
    heartbeat.start()
    try:

        def row() -> Any:
            [found] = rig.rows("SELECT * FROM workers WHERE id = :id", id=heartbeat.worker_id)
            return found

        first = row()
        assert (first.operations, first.queues) == (["a.one", "b.two"], ["control", "slow"])
        assert (first.busy, first.starving_since) == (1, None)
        starving[0] = 45.0
        heartbeat._beat_once()
        since = row().starving_since
        assert timedelta(seconds=44) < datetime.now(UTC) - since < timedelta(seconds=60)
        assert note_starving_workers(rig.runtime) == 1
    finally:
        heartbeat.stop()
    assert note_starving_workers(rig.runtime) == 0
