"""Operations with breakers, whose downstream the test puts away and brings back."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from app.batches.queries import find_batch
from handlers import Breaker, Context, Item, Outcome, Registry, Reject, Retry
from handlers.operation import Operation
from tests.engine.operations import LoggedSchema
from tests.engine.rig import Rig

# Failures that open a breaker in these tests.
OF = 4


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


def items(count: int, **data: Any) -> list[dict[str, Any]]:
    return [{"uid": uid, **data} for uid in range(count)]


def breaker(rig: Rig, operation: str) -> Any:
    found = rig.rows("SELECT * FROM breakers WHERE operation = :name", name=operation)
    return found[0] if found else None


def status(rig: Rig, operation: str = "calls.out") -> str:
    found = breaker(rig, operation)
    return "closed" if found is None else str(found.status)


def waiting_for(rig: Rig, batch_id: UUID) -> str | None:
    with rig.engine.connect() as connection:
        return find_batch(connection, rig.client_id, batch_id).waiting_for


def settle_down(rig: Rig, batch_id: UUID) -> None:
    """Deliver what comes, but what is sent for the breaker's next try."""
    for _ in range(500):
        soon = [message for message in rig.messages if message.delay < 0.1]
        if not soon:
            return
        rig.messages.remove(soon[0])
        time.sleep(soon[0].delay)
        rig.deliver(soon[0])
    raise AssertionError(rig.slices(batch_id))


def come_back(rig: Rig, downstream: Downstream) -> None:
    downstream.away = False
    rest_is_over(rig)


def rest_is_over(rig: Rig) -> None:
    rig.run("UPDATE breakers SET probe_at = now() WHERE probe_at IS NOT NULL")
