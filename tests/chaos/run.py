"""One run: batches are submitted, faults injected from a seed, everything checked at the end."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import BatchlineError
from app.db import make_engine
from tests.chaos import database_faults, release_faults  # noqa: F401 (they register their faults)
from tests.chaos.faults import FAULTS, faults_of
from tests.chaos.load import Load
from tests.chaos.machine import Machine, running_machine
from tests.chaos.receiver import Receiver
from tests.chaos.release_faults import RELEASE_BEFORE
from tests.chaos.verify import problems

_PROGRESS = text(
    """
    SELECT (SELECT coalesce(sum(completed + failed + invalid + canceled), 0) FROM batches)
           + (SELECT coalesce(sum(completed + failed + invalid), 0) FROM slices) AS ended,
           (SELECT count(*) FROM batches WHERE finished_at IS NULL) AS unfinished
    """
)


@dataclass
class Report:
    """What happened. `recoveries`: by fault, the longest time in seconds after it (with what was
    left of earlier ones) in which no item ended although some batch was unfinished."""

    seed: int
    faults: list[str] = field(default_factory=list)
    recoveries: list[tuple[str, float]] = field(default_factory=list)
    batches: int = 0
    items: int = 0
    tried_again: int = 0
    unavailable: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def longest(self) -> tuple[str, float]:
        """The fault after which it took longest to go on, and how long."""
        return max(self.recoveries, key=lambda one: one[1], default=("none", 0.0))


def run(
    home: Path,
    seed: int,
    *,
    faults: Sequence[str] = (),
    batches: int = 25,
    settle_within: float = 120,
    broker: str = "redis",
) -> Report:
    """Run once with `seed`. `faults`: those to inject in that order; all, shuffled, by default.

    The release before is of the runs with an even seed only: it could not yet do with handlers that
    misbehave, which those with an odd one have.
    """
    every = faults_of(broker)
    if seed % 2:
        every.remove(RELEASE_BEFORE)
    chosen = list(faults) or random.Random(seed).sample(every, len(every))
    with (
        Receiver() as receiver,
        running_machine(
            home, receiver.url, broker=broker, handlers="tests.chaos.misbehaving"
        ) as machine,
    ):
        return run_on(machine, receiver, seed, chosen, batches, settle_within)


def run_on(
    machine: Machine,
    receiver: Receiver,
    seed: int,
    faults: Sequence[str],
    batches: int,
    settle_within: float = 120,
) -> Report:
    """The same on a machine that is running, and whose client has submitted nothing yet."""
    rng = random.Random(seed)
    report = Report(seed)
    load = Load(
        machine.stack.url,
        machine.client.secret,
        seed,
        batches=batches,
        misbehaving=RELEASE_BEFORE not in faults,
    )
    load.start()
    with _Monitor(machine) as monitor:
        moments = []
        for name in faults:
            time.sleep(rng.uniform(0.5, 2.5))
            machine.keep_alive()
            moments.append(time.monotonic())
            FAULTS[name](machine, rng)
            report.faults.append(name)
        load.join(3 * settle_within)
        _settled(machine, settle_within)
        ends = [*moments[1:], time.monotonic()]
    report.recoveries = [
        (name, monitor.longest_stall(begin, end))
        for name, begin, end in zip(faults, moments, ends, strict=True)
    ]
    report.batches = sum(one.batch_id is not None for one in load.sent)
    report.items = sum(one.count for one in load.sent)
    report.unavailable = load.unavailable
    report.problems = [
        *load.surprises,
        *problems(machine.engine, machine.client.client_id, load.sent, receiver.seen),
    ]
    report.tried_again = _count(machine, "SELECT sum(crashes) FROM items")
    if report.problems:
        report.problems.append(machine.stack.tail(40))
    return report


class _Monitor:
    """Samples how many items have ended. `stalls`: by sample, since when nothing has ended."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="monitor", daemon=True)
        self._samples: list[tuple[float, float]] = []

    def __enter__(self) -> _Monitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def longest_stall(self, begin: float, end: float) -> float:
        """The longest time, up to some moment between the two, in which nothing ended though
        something was unfinished; seconds."""
        return max((stall for at, stall in self._samples if begin <= at <= end), default=0.0)

    def _watch(self) -> None:
        engine = make_engine(
            self._machine.stack.settings.database_url or "", name="batchline-chaos-monitor"
        )
        before, since = -1, time.monotonic()
        while not self._over.wait(0.1):
            now = time.monotonic()
            with contextlib.suppress(SQLAlchemyError, BatchlineError):
                with engine.connect() as connection:
                    ended, unfinished = connection.execute(_PROGRESS).one()
                if ended != before or not unfinished:
                    before, since = ended, now
            self._samples.append((now, now - since))
        engine.dispose()


def _settled(machine: Machine, within: float) -> None:
    """Wait until every batch has ended; `within`: seconds in which one must, or it hangs."""
    before, deadline = -1, 0.0
    while unfinished := _unfinished(machine):
        machine.keep_alive()
        if unfinished != before:
            before, deadline = unfinished, time.monotonic() + within
        if time.monotonic() > deadline:
            raise AssertionError(
                f"of {unfinished} batches none has ended for {within} s\n"
                f"{_what_is_left(machine)}\n{machine.stack.tail(40)}"
            )
        time.sleep(0.2)


def _unfinished(machine: Machine) -> int:
    return _count(machine, "SELECT count(*) FROM batches WHERE finished_at IS NULL")


def _count(machine: Machine, query: str) -> int:
    for _ in range(100):
        try:
            with machine.engine.connect() as connection:
                return int(connection.execute(text(query)).scalar() or 0)
        except (SQLAlchemyError, BatchlineError):
            time.sleep(0.1)  # the fault of the moment
    raise AssertionError("the database did not come back")


def _what_is_left(machine: Machine) -> str:
    """The unfinished batches, their slices, and their items by state, as text."""
    lines = []
    for query in (
        "SELECT * FROM batches WHERE finished_at IS NULL",
        "SELECT * FROM slices",
        """
        SELECT i.batch_id, i.status, i.attempts, i.crashes, i.message, i.lane IS NULL AS loose,
               min(i.due_at) AS due, count(*), now() AS now
        FROM items i JOIN batches b ON b.id = i.batch_id WHERE b.finished_at IS NULL
        GROUP BY i.batch_id, i.status, i.attempts, i.crashes, i.message, loose
        """,
        "SELECT *, now() FROM workers",
    ):
        with machine.engine.connect() as connection:
            rows = connection.execute(text(query)).mappings().fetchmany(10)
        lines += [f"  {dict(row)}" for row in rows]
    return "\n".join(lines)
