"""The gate that every call of a handler goes through: whether its items may begin, how it went.

Where nothing is open, and nothing fails, it costs a look at what is in memory. What fails for a
reason outside its item is told to all at once; the answer says whether that has opened the breaker,
so that whoever fails knows it before the next call. Of effects in our database it is told when the
slice's items are through, as the transaction may begin again until then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from handlers import Defer, Operation
from workers.engine.breakers.held_back import HeldBack
from workers.engine.claim.load_items import Loaded
from workers.engine.outcome.outcomes import Verdict
from workers.engine.run.outside import is_outside, pace_asked_by
from workers.engine.run.terms import ItemGivenUp

# Seconds after which another item is tried, where one waits for another of its batch.
_AFTER_DEFERRAL = 1.0
Call = Callable[[Operation, list[Loaded]], list[Verdict]]


class Probe(Protocol):
    """One item's try, by which a breaker closes or opens again."""

    breaker_id: int

    def came_through(self) -> None:
        """All is well."""
        ...

    def failed(self) -> None:
        """It is not."""
        ...

    def said_nothing(self, *, after: float) -> None:
        """It cannot be told by this item; another may try after so many seconds."""
        ...


class Breakers(Protocol):
    """What the gate asks: see workers/engine/run/breakers.py."""

    @property
    def anything(self) -> bool:
        """Whether any breaker is open."""
        ...

    def keeps(self, operation: str, base: str) -> tuple[int, bool] | None:
        """The number of the breaker that keeps such an item, and whether it is due for a try."""
        ...

    def take_probe(self, operation: Operation, breaker_id: int) -> Probe | None:
        """The try, if it is to be this one."""
        ...

    def note(self, operation: Operation, base: str, *, succeeded: int, failed: int) -> None:
        """So many items of an operation that has a breaker were tried."""
        ...

    def pace(self, operation: Operation, base: str, seconds: float) -> None:
        """Whoever is called wants nothing more for so long."""
        ...


class Gate:
    """For one pass of a slice's items. `at_once`: failures are told after each call."""

    def __init__(self, breakers: Breakers, *, at_once: bool) -> None:
        self._breakers = breakers
        self._at_once = at_once
        self._untold: dict[tuple[str, str], tuple[Operation, int]] = {}

    def through(self, operation: Operation, items: list[Loaded], call: Call) -> list[Verdict]:
        """`call` for those of the items that may begin; the others are `HeldBack`."""
        if not self._breakers.anything:
            return self._call(operation, items, call)
        kept: dict[int, Verdict] = {}
        begin: list[Loaded] = []
        for place, loaded in enumerate(items):
            found = self._breakers.keeps(operation.name, base_of(operation, loaded))
            if found is None:
                begin.append(loaded)
            else:
                breaker_id, due = found
                probe = self._breakers.take_probe(operation, breaker_id) if due else None
                if probe is None:
                    kept[place] = HeldBack(breaker_id)
                    continue
                kept[place] = _try(probe, operation, loaded, call)
                self._keep_pace(operation, [loaded], [kept[place]])
        others = iter(self._call(operation, begin, call) if begin else ())
        return [kept[place] if place in kept else next(others) for place in range(len(items))]

    def tell(self) -> None:
        """Tell what failed and has not been told."""
        untold, self._untold = self._untold, {}
        for (_, base), (operation, failed) in untold.items():
            self._breakers.note(operation, base, succeeded=0, failed=failed)

    def _call(self, operation: Operation, items: list[Loaded], call: Call) -> list[Verdict]:
        try:
            verdicts = call(operation, items)
        except ItemGivenUp as lost:
            # It took the slice's transaction with it, and is not called again.
            if operation.breaker is not None and is_outside(lost.problem):
                for loaded in items:
                    if loaded.item.index == lost.index:
                        base = base_of(operation, loaded)
                        self._breakers.note(operation, base, succeeded=0, failed=1)
            raise
        self._look_at(operation, items, verdicts)
        return verdicts

    def _look_at(self, operation: Operation, items: list[Loaded], verdicts: list[Verdict]) -> None:
        if operation.breaker is None:
            return
        self._keep_pace(operation, items, verdicts)
        failed: Counter[str] = Counter()
        succeeded: Counter[str] = Counter()
        for loaded, verdict in zip(items, verdicts, strict=True):
            if isinstance(verdict, (Defer, HeldBack)):
                continue
            counted = (
                failed if isinstance(verdict, Exception) and is_outside(verdict) else succeeded
            )
            counted[base_of(operation, loaded)] += 1
        for base in succeeded.keys() | failed.keys():
            now = failed[base] if self._at_once else 0
            self._breakers.note(operation, base, succeeded=succeeded[base], failed=now)
            if failed[base] and not self._at_once:
                before = self._untold.get((operation.name, base), (operation, 0))[1]
                self._untold[operation.name, base] = (operation, before + failed[base])

    def _keep_pace(
        self, operation: Operation, items: list[Loaded], verdicts: list[Verdict]
    ) -> None:
        if operation.breaker is None:
            return
        asked: dict[str, float] = {}
        for loaded, verdict in zip(items, verdicts, strict=True):
            seconds = pace_asked_by(verdict)
            if seconds is not None:
                base = base_of(operation, loaded)
                asked[base] = max(seconds, asked.get(base, 0.0))
        for base, seconds in asked.items():
            self._breakers.pace(operation, base, seconds)


def base_of(operation: Operation, loaded: Loaded) -> str:
    """Which of its operation's bases the item is for; empty where that has none."""
    if not operation.bases:
        return ""
    base = loaded.item.data.get("base")
    return base if isinstance(base, str) else ""


def _try(probe: Probe, operation: Operation, loaded: Loaded, call: Call) -> Verdict:
    """The one item that is tried; where that fails the try has cost it nothing."""
    try:
        [verdict] = call(operation, [loaded])
    except ItemGivenUp as lost:
        if is_outside(lost.problem):
            probe.failed()
            lost.held_by = probe.breaker_id
        else:
            probe.came_through()
        raise
    except BaseException:
        probe.said_nothing(after=0.0)
        raise
    if isinstance(verdict, Defer):
        probe.said_nothing(after=_AFTER_DEFERRAL)
    elif isinstance(verdict, Exception) and is_outside(verdict):
        probe.failed()
        return HeldBack(probe.breaker_id)
    else:
        probe.came_through()
    return verdict
