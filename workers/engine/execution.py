"""Running the items of a slice through their handlers.

Two ways, by where an operation's effects are. In our database: the whole slice is one transaction
with its outcomes, so an effect happens exactly once. Elsewhere: an item at a time, outcomes
written as they come, at-least-once.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from app.db import is_away, is_retryable
from handlers import Operation, Outcome
from handlers.contract import Answer, Problem
from workers.engine.answers import checked, note
from workers.engine.claims import ClaimedSlice
from workers.engine.context import SliceContext
from workers.engine.loading import InvalidItem, Loaded
from workers.engine.ordering import by_operation, chunks, rounds
from workers.engine.outcomes import Failure, Outcomes, PutOff
from workers.engine.timelimit import time_limit

INVALID_CODE = 422


class SliceTransactionLost(Exception):
    """A database error that only a new transaction gets past: the slice starts over."""


class Run:
    """One pass of a slice's items. `outcomes` grows; `allowance`: failures the batch still has.

    `after_each` is called after every group of items (outside effects: to write what there is).
    """

    def __init__(
        self,
        claimed: ClaimedSlice,
        connection: Connection | None,
        *,
        allowance: int | None,
        singly: bool = False,
        after_each: Callable[[Outcomes], bool] | None = None,
    ) -> None:
        self._context = SliceContext(claimed, connection)
        self._connection = connection
        self._claimed = claimed
        self._allowance = allowance
        self._singly = singly
        self._after_each = after_each
        self._stopped = False
        self._failures = 0
        self._successes = 0
        # Items that need no further pass, and lanes whose next item waits for a later time.
        self._through: set[int] = set()
        self._blocked: set[int] = set()
        self.outcomes = Outcomes()

    def refuse(self, invalid: list[InvalidItem]) -> None:
        """Note the items that their schema refused."""
        self.outcomes.failures += [
            Failure(item.index, "INVALID", INVALID_CODE, item.message, 0) for item in invalid
        ]
        self._failures += len(invalid)

    def process(self, items: list[Loaded]) -> None:
        """Run `items`; those that wait for one another again, as long as that brings any on."""
        waiting = items
        while waiting:
            before = self._successes
            deferred = self._pass(waiting)
            if not deferred or self._successes == before or self._stopped or self._over():
                self.outcomes.put_off += deferred
                return
            waiting = [loaded for loaded in waiting if loaded.item.index not in self._through]

    def _pass(self, items: list[Loaded]) -> list[PutOff]:
        """Run each item once, except those behind one that was put off; what was deferred."""
        deferred: list[PutOff] = []
        blocked = set(self._blocked)
        for group in rounds(items):
            runnable = [loaded for loaded in group if loaded.lane not in blocked]
            for operation, members in by_operation(runnable):
                for chunk in chunks(members, self._chunk_size(operation)):
                    if self._stopped or self._over():
                        return deferred
                    late = self._run_chunk(operation, chunk)
                    deferred += late
                    waiting = {item.index for item in late}
                    blocked |= self._blocked | _lanes(chunk, waiting)
        return deferred

    def _run_chunk(self, operation: Operation, chunk: list[Loaded]) -> list[PutOff]:
        answers = Outcomes()
        for loaded, answer in zip(chunk, self._answers(operation, chunk), strict=True):
            note(answers, loaded, answer)
        deferred = [late for late in answers.put_off if not late.attempts]
        answers.put_off = [late for late in answers.put_off if late.attempts]
        self._blocked |= _lanes(chunk, {late.index for late in answers.put_off})
        self._through |= {loaded.item.index for loaded in chunk} - {late.index for late in deferred}
        self._successes += len(answers.succeeded)
        self._failures += len(answers.failures)
        self.outcomes.add(answers)
        if self._after_each is not None:
            self._stopped = self._after_each(self.outcomes)
        return deferred

    def _over(self) -> bool:
        return self._allowance is not None and self._failures > self._allowance

    def _chunk_size(self, operation: Operation) -> int | None:
        """How many items may be run before failures have to be counted again."""
        if not operation.in_database or self._singly or not operation.bulk:
            return 1
        if self._allowance is None:
            return None
        return max(1, self._allowance - self._failures + 1)

    def _answers(self, operation: Operation, items: list[Loaded]) -> list[Answer | Exception]:
        if self._claimed.phase == "dry":
            return [Outcome() for _ in items]
        if operation.bulk:
            if self._singly:
                return [self._guarded(operation, items, self._call_bulk)]
            return list(self._call_bulk(operation, items))
        return [self._guarded(operation, [loaded], self._call_one) for loaded in items]

    def _call_bulk(self, operation: Operation, items: list[Loaded]) -> list[Answer]:
        with time_limit(operation.timeout_seconds):
            answers = operation.handler([loaded.item for loaded in items], self._context)
        return checked(operation, items, answers)

    def _call_one(self, operation: Operation, items: list[Loaded]) -> list[Answer]:
        with time_limit(operation.timeout_seconds):
            answer = operation.handler(items[0].item, self._context)
        if not isinstance(answer, Outcome):
            raise TypeError(f"the handler of {operation.name} answered {type(answer).__name__}")
        return [answer]

    def _guarded(
        self,
        operation: Operation,
        items: list[Loaded],
        call: Callable[[Operation, list[Loaded]], list[Answer]],
    ) -> Answer | Exception:
        """Call for one item; what it raises is its answer, and its writes are undone."""
        if self._connection is None:
            try:
                return call(operation, items)[0]
            except Exception as error:
                return error
        savepoint = self._connection.begin_nested()
        try:
            answer = call(operation, items)[0]
            if isinstance(answer, Problem):
                savepoint.rollback()
            else:
                savepoint.commit()
        except Exception as error:
            if is_away(error) or is_retryable(error):
                raise SliceTransactionLost from error
            savepoint.rollback()
            return error
        return answer


def _lanes(items: list[Loaded], indexes: set[int]) -> set[int]:
    """The lanes of those of `items` that have one of `indexes`."""
    return {
        loaded.lane for loaded in items if loaded.lane is not None and loaded.item.index in indexes
    }
