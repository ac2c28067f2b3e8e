"""Running the items of a slice through their handlers.

Two ways, by where an operation's effects are. In our database: the whole slice is one transaction
with its outcomes, so an effect happens exactly once. Elsewhere: a call at a time, outcomes written
as they come, at-least-once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from app.core.tracing import span
from app.db import is_retryable
from handlers import Context, Operation
from handlers.contract import Problem
from workers.engine.breakers.held_back import HeldBack
from workers.engine.claim.claims import ClaimedSlice
from workers.engine.claim.load_items import Loaded
from workers.engine.claim.served import InvalidItem
from workers.engine.outcome.classify import (
    CannotBeStored,
    answer_of_one,
    answers_of_many,
    note,
)
from workers.engine.outcome.outcomes import Completed, Failure, Outcomes, Verdict, Waiting
from workers.engine.process.time_limit import TimeLimitExceeded, limited_call
from workers.engine.retries.attempts import NOT_COUNTED
from workers.engine.retries.policy import RetryLater
from workers.engine.run.effects import Effects, Savepoint, State
from workers.engine.run.given_connection import ConnectionLost, TransactionEnded, is_gone
from workers.engine.run.handler_log import handler_log
from workers.engine.run.ordering import by_operation, rounds
from workers.engine.run.outside import is_outside
from workers.engine.run.terms import ItemGivenUp, SliceSpoiled, SliceTransactionLost, Terms

INVALID_CODE = 422


class Run:
    """One pass of a slice's items. `outcomes` grows.

    `context`: what handlers are given. `effects`: the transaction of effects in our database, None
    for those elsewhere. `after_each` is called after every call of a handler (effects elsewhere: to
    write what there is), `on_failure` with operation, batch, index and error of an item that did
    not complete (else they are logged).
    """

    def __init__(
        self,
        claimed: ClaimedSlice,
        context: Context,
        effects: Effects | None,
        terms: Terms,
        *,
        after_each: Callable[[Outcomes], None] | None = None,
        on_failure: Callable[[str, UUID, int, Exception], None] | None = None,
    ) -> None:
        self._context = context
        self._effects = effects
        self._on_failure = on_failure or handler_log.failed
        self._claimed = claimed
        self._terms = terms
        self._after_each = after_each
        self._stopped = False
        self._failures = 0
        self._successes = 0
        # Items that need no further pass, and lanes whose next item waits for a later time.
        self._through: set[int] = set()
        self._blocked: set[int] = set()
        self.outcomes = Outcomes()

    def refuse(self, invalid: list[InvalidItem]) -> None:
        """Note the items that their schema refused, and those that wait for another worker."""
        refused = [item for item in invalid if item.wait is None]
        self.outcomes.failures += [
            Failure(item.index, item.operation, "INVALID", INVALID_CODE, item.message, NOT_COUNTED)
            for item in refused
        ]
        self.outcomes.waiting += [
            Waiting(item.index, item.wait, item.message)
            for item in invalid
            if item.wait is not None
        ]
        self._failures += len(refused)

    def leave(self, indexes: list[int]) -> None:
        """Leave these to another slice, untried."""
        self.outcomes.left += indexes

    def process(self, items: list[Loaded]) -> None:
        """Run `items`; those that wait for one another again, as long as that brings any on.

        What there was no time for is left.
        """
        for loaded in items:
            if loaded.item.index in self._terms.given_up:
                self._note([loaded], [self._terms.given_up[loaded.item.index]])
        self._look_at_the_clock(begun=bool(self._terms.given_up))
        waiting = self._remaining(items)
        while waiting:
            before = self._successes
            deferred = self._pass(waiting)
            if self._stopped or self._over() or not deferred or self._successes == before:
                self.outcomes.retry_later += deferred
                self._through |= {late.index for late in deferred}
                break
            waiting = self._remaining(waiting)
        if self._terms.gate is not None:
            self._terms.gate.tell()
        if self._stopped and not self._over():
            self.outcomes.left += [loaded.item.index for loaded in self._remaining(items)]

    def _remaining(self, items: list[Loaded]) -> list[Loaded]:
        return [loaded for loaded in items if loaded.item.index not in self._through]

    def _pass(self, items: list[Loaded]) -> list[RetryLater]:
        """Run each item once, except those behind one that was put off; what was deferred."""
        deferred: list[RetryLater] = []
        blocked = set(self._blocked)
        for group in rounds(items):
            runnable = [loaded for loaded in group if loaded.lane not in blocked]
            for operation, members in by_operation(runnable):
                while members:
                    if self._stopped or self._over():
                        return deferred
                    # Anew for each, since what has failed meanwhile leaves less room.
                    size = self._chunk_size(operation) or len(members)
                    chunk, members = members[:size], members[size:]
                    late = self._run_chunk(operation, chunk)
                    deferred += late
                    waiting = {item.index for item in late}
                    blocked |= self._blocked | _lanes(chunk, waiting)
        return deferred

    def _run_chunk(self, operation: Operation, chunk: list[Loaded]) -> list[RetryLater]:
        deferred = self._note(chunk, self._let_through(operation, chunk))
        if self._after_each is not None:
            self._after_each(self.outcomes)
        self._look_at_the_clock(begun=True)
        return deferred

    def _let_through(self, operation: Operation, chunk: list[Loaded]) -> list[Verdict]:
        gate = self._terms.gate
        if gate is None:
            return self._answers(operation, chunk)
        return gate.through(operation, chunk, self._answers)

    def _note(self, chunk: list[Loaded], verdicts: list[Verdict]) -> list[RetryLater]:
        """Take in the answers; what was deferred, which another pass may bring on, is returned."""
        answers = Outcomes()
        for loaded, verdict in zip(chunk, verdicts, strict=True):
            note(answers, loaded, verdict)
            if not isinstance(verdict, (Completed, HeldBack)):
                name, index = loaded.operation.name, loaded.item.index
                self._on_failure(name, self._claimed.batch_id, index, verdict)
        deferred = [late for late in answers.retry_later if not late.attempts]
        answers.retry_later = [late for late in answers.retry_later if late.attempts]
        later = {late.index for late in answers.retry_later} | {i for i, _ in answers.held}
        self._blocked |= _lanes(chunk, later)
        self._through |= {loaded.item.index for loaded in chunk} - {late.index for late in deferred}
        self._successes += len(answers.succeeded)
        self._failures += len(answers.failures)
        self.outcomes.add(answers)
        return deferred

    def _look_at_the_clock(self, *, begun: bool) -> None:
        """Stop where the process should; and once the slice's time is up, if it has `begun`."""
        late = begun and time.monotonic() > self._terms.until
        self._stopped = self._stopped or late or self._terms.stopping.is_set()

    def _over(self) -> bool:
        allowance = self._terms.allowance
        return allowance is not None and allowance.passed(
            failures=self._failures, successes=self._successes
        )

    def _chunk_size(self, operation: Operation) -> int | None:
        """How many items may be run before failures have to be counted again."""
        if self._terms.singly or not operation.bulk:
            return 1
        if self._terms.allowance is None:
            return None
        return self._terms.allowance.room(failures=self._failures, successes=self._successes)

    def _answers(self, operation: Operation, items: list[Loaded]) -> list[Verdict]:
        if self._claimed.phase == "dry":
            return [Completed() for _ in items]
        if self._effects is None:
            return self._elsewhere(operation, items)
        if operation.bulk and not self._terms.singly:
            return self._together(self._effects, operation, items)
        return [self._alone(self._effects, operation, items)]

    def _elsewhere(self, operation: Operation, items: list[Loaded]) -> list[Verdict]:
        """Call for items whose effects are elsewhere."""
        try:
            return self._call(operation, items)
        except Exception as error:
            if len(items) == 1:
                return [error]
            if operation.breaker is not None and is_outside(error):
                # So it is for each of them: what is away is not asked for all one by one.
                return [error] * len(items)
        # One spoiled it for all, and only it shall pay.
        return [self._elsewhere(operation, [loaded])[0] for loaded in items]

    def _together(
        self, effects: Effects, operation: Operation, items: list[Loaded]
    ) -> list[Verdict]:
        """Call a bulk handler in the slice's transaction.

        Raises SliceSpoiled where one of the items may be at fault: what it did cannot be told from
        what was done for the others, so all of it has to go.
        """
        alone = items[0].item.index if len(items) == 1 else None
        effects.begin_call()
        try:
            verdicts = self._call(operation, items)
            for verdict in verdicts:
                if not isinstance(verdict, Completed) and _spoils(verdict):
                    raise verdict
            effects.check(None)
        except TimeLimitExceeded as problem:
            effects.give_up()
            if alone is None:
                raise SliceSpoiled from problem
            raise ItemGivenUp(alone, problem) from problem
        except Exception as error:
            state = effects.state()
            if state is State.LOST or (is_retryable(error) and not self._terms.last_try):
                raise SliceTransactionLost(alone) from error
            if state is State.ENDED:
                effects.give_up()
            raise SliceSpoiled from error
        return verdicts

    def _alone(self, effects: Effects, operation: Operation, items: list[Loaded]) -> Verdict:
        """Call for one item in a savepoint; unless it completes, its writes are undone."""
        savepoint = effects.savepoint()
        index = items[0].item.index
        effects.begin_call()
        try:
            [verdict] = self._call(operation, items)
            if isinstance(verdict, Completed):
                effects.check(savepoint)
                savepoint.commit()
                return verdict
        except TimeLimitExceeded as problem:
            # It was interrupted anywhere: what state its connection is in cannot be known.
            effects.give_up()
            raise ItemGivenUp(index, problem) from problem
        except Exception as error:
            verdict = error
        self._undo(effects, savepoint, index, verdict)
        return verdict

    def _undo(self, effects: Effects, savepoint: Savepoint, index: int, error: Exception) -> None:
        """Back to before the item. Raises what is to happen where there is no way back."""
        if is_retryable(error) and not self._terms.last_try:
            raise SliceTransactionLost from error
        if is_gone(error) and not savepoint.is_active:
            error = TransactionEnded()
        try:
            effects.undo(savepoint)
            if isinstance(error, TransactionEnded):
                raise error
        except TransactionEnded as ended:
            effects.give_up()
            raise ItemGivenUp(index, ended) from ended
        except ConnectionLost as lost:
            raise SliceTransactionLost(index) from lost

    def _call(self, operation: Operation, items: list[Loaded]) -> list[Verdict]:
        """One call of the handler, and what it came to for each item. Raises what spoils it all."""
        if operation.bulk:
            these = [loaded.item for loaded in items]
            return self._limited(
                operation,
                items,
                lambda: answers_of_many(
                    operation, len(these), operation.handler(these, self._context)
                ),
            )
        item = items[0].item
        return self._limited(
            operation,
            items,
            lambda: [answer_of_one(operation, operation.handler(item, self._context))],
        )

    def _limited(
        self, operation: Operation, items: list[Loaded], call: Callable[[], list[Verdict]]
    ) -> list[Verdict]:
        seconds = operation.timeout_seconds
        index = items[0].item.index if len(items) == 1 else None
        handling = span(
            f"handle {operation.name}",
            batch=str(self._claimed.batch_id),
            index=items[0].item.index,
            items=len(items),
            attempt=items[0].item.attempt,
        )
        with handling, self._terms.watch.call(self._claimed.claim, index, seconds):
            return limited_call(seconds, call)


def _spoils(error: Exception) -> bool:
    """Whether an answer is none that its handler meant to give, so that its effects must go."""
    return isinstance(error, CannotBeStored) or not isinstance(error, Problem)


def _lanes(items: list[Loaded], indexes: set[int]) -> set[int]:
    """The lanes of those of `items` that have one of `indexes`."""
    return {
        loaded.lane for loaded in items if loaded.lane is not None and loaded.item.index in indexes
    }
