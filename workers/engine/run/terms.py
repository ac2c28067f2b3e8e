"""What a slice's run is bound by, and how it may break off so that the slice starts over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.batches.guards import Allowance
from handlers.contract import Problem
from workers.engine.process.stop_sign import StopSign
from workers.engine.process.watchdog import Watch

if TYPE_CHECKING:
    from workers.engine.run.gate import Gate


class SliceTransactionLost(Exception):
    """A database error that only a new transaction gets past: the slice starts over.

    `index`: the item that was being tried when the connection broke, if it was one.
    """

    def __init__(self, index: int | None = None) -> None:
        super().__init__("the slice's transaction was lost")
        self.index = index


class SliceSpoiled(Exception):
    """One item of several in a call spoiled the slice's transaction: each is to be called alone."""


class ItemGivenUp(Exception):
    """An item took the slice's transaction with it, which starts over without the item.

    Its handler was interrupted in it, or has ended it. `held_by`: the breaker that it tried in
    vain, for which it waits again.
    """

    def __init__(self, index: int, problem: Problem) -> None:
        super().__init__(str(problem))
        self.index = index
        self.problem = problem
        self.held_by: int | None = None


@dataclass(slots=True)
class Terms:
    """What a slice's run is bound by.

    `allowance`: what of the batch may still fail, None for all of it. `until`: when (monotonic
    seconds) it should stop and leave the rest to another slice. `stopping`: set when the process
    should. `singly`: each item in a savepoint of its own. `last_try`: what fails for a reason that
    another transaction may get past counts as failed. `given_up`: items that ended before, in
    a transaction that is gone (or wait for a breaker since). `gate`: what lets items begin; None
    lets all.
    """

    allowance: Allowance | None
    until: float
    stopping: StopSign
    watch: Watch
    singly: bool = False
    last_try: bool = False
    given_up: Mapping[int, Exception] = field(default_factory=dict)
    gate: Gate | None = None
