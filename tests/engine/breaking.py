"""Operations with breakers, whose downstream the test puts away and brings back."""

from __future__ import annotations

from typing import Any

from handlers import Breaker, Context, Item, Outcome, Registry, Reject, Retry
from handlers.operation import Operation
from tests.engine.operations import LoggedSchema


class Downstream:
    """What the operations need.

    `away`: whether each try fails, and may be made again `after` so many seconds; `paced`: whether
    each is answered that it is too many; `never`: the uid of one that never comes through. `seen`:
    the uids tried.
    """

    def __init__(self) -> None:
        self.away = False
        self.after = 0.01
        self.seen: list[int] = []
        self.never: int | None = None
        self.paced = False

    def ask(self, item: Item) -> Outcome:
        """One try."""
        self.seen.append(item.data["uid"])
        if item.data["do"] == "reject":
            raise Reject("rejected as asked", code=418)
        if self.paced:
            raise Retry("too many", code=429, after=50)
        if self.away or item.data["uid"] == self.never:
            raise Retry("away", after=self.after)
        return Outcome({"attempt": item.attempt})


def registry_with(downstream: Downstream, others: Registry, **breaker: Any) -> Registry:
    """`calls.out` (effects elsewhere), `calls.in` (in our database) and `calls.many` (bulk)."""
    made = Registry()
    for one in others:
        made.add(one)

    def call(item: Item, _: Context) -> Outcome:
        return downstream.ask(item)

    def call_many(items: list[Item], _: Context) -> list[Any]:
        answers: list[Any] = []
        for item in items:
            try:
                answers.append(downstream.ask(item))
            except (Reject, Retry) as problem:
                answers.append(problem)
        return answers

    options: dict[str, Any] = {
        "schema": LoggedSchema,
        "key": ("key",),
        "collection": "log",
        "max_attempts": 3,
        "backoff_seconds": 0.01,
        "slice_items": 5,
        "breaker": Breaker(**{"failures": 0.5, "of": 4, "within": 30, "rest": 50, **breaker}),
    }
    made.add(Operation("calls.out", call, in_database=False, **options))
    made.add(Operation("calls.in", call, **options))
    made.add(Operation("calls.many", call_many, bulk=True, in_database=False, **options))
    return made
