"""How things stand, in one sentence: the worst of what is to be said, or that all is well."""

from __future__ import annotations

from dataclasses import dataclass

from app.batches.waiting import WORKER
from app.console.pages.overview.figures import Figures

GOOD, BAD, WARN, CALM = "good", "bad", "warn", "calm"
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class State:
    """`kind`: one of the above, by which the sentence is coloured and gets its sign."""

    kind: str
    sentence: str


def state_of(figures: Figures) -> State:
    """How it stands."""
    live = sum(each.number for each in figures.workers)
    starving = sum(each.starving for each in figures.workers)
    if not live:
        return State(BAD, "No worker is alive: nothing is processed until one is started.")
    if lacking := sorted(figures.in_line.keys() - {each.queue for each in figures.workers}):
        return State(BAD, _lacking(lacking[0], figures.in_line[lacking[0]]))
    if stuck := [each.operation for each in figures.latest if each.waiting_for == WORKER]:
        return State(WARN, _stuck(stuck))
    if starving:
        return State(WARN, f"{starving} of {live} workers take nothing, although work waits.")
    if figures.breakers:
        return State(WARN, _held(figures))
    last = figures.hour_total
    if last.failed and last.failed * 10 >= last.total:
        return State(
            WARN,
            "More than a tenth of the last hour's items failed: "
            f"{last.failed:,} of {last.total:,}.",
        )
    if figures.running:
        going = _batches(figures.running, "is under way", "are under way")
        return State(GOOD, f"Everything is going: {going}, {figures.items_waiting:,} items to go.")
    waiting = [
        _batches(number, *words)
        for number, *words in (
            (figures.batches("AWAITING"), "awaits approval", "await approval"),
            (figures.batches("PAUSED"), "is paused", "are paused"),
            (figures.batches("SCHEDULED"), "is scheduled", "are scheduled"),
            (figures.batches("OPEN"), "is still open", "are still open"),
        )
        if number
    ]
    if waiting:
        return State(CALM, f"Nothing is under way: {', '.join(waiting)}.")
    return State(CALM, "Idle: everything that was submitted has been done.")


def _lacking(queue: str, number: int) -> str:
    waits = _batches(number, "waits for one", "wait for one")
    return f"No worker of the queue {queue} is alive, and {waits}."


def _stuck(operations: list[str | None]) -> str:
    """Of the latest batches; None: one whose items name their operations."""
    waits = "waits for a worker that has its operation"
    if len(operations) > 1:
        waits = "wait for a worker that has their operation"
    names = sorted({each or "several" for each in operations})
    named = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    return f"{len(operations)} of the latest batches {waits}: {named}."


def _held(figures: Figures) -> str:
    """Operations are held, or bases of them; what is tried may go on in a moment."""
    operations = sorted({each.operation for each in figures.breakers})
    named = ", ".join(operations[:_MOST_NAMED]) + (", …" if len(operations) > _MOST_NAMED else "")
    if len(operations) > 1:
        return f"{len(operations)} operations are held by a breaker: {named}."
    bases = [each.base for each in figures.breakers if each.base]
    to = f" to {', '.join(bases[:_MOST_NAMED])}" if bases else ""
    return f"1 operation is held by a breaker: {named}{to}. Everything else is going."


def _batches(number: int, one: str, several: str) -> str:
    return f"{number:,} batch {one}" if number == 1 else f"{number:,} batches {several}"
