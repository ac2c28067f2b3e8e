"""From what a handler answered to what is written of the item."""

from __future__ import annotations

import inspect

from app.core.error_text import attribute_of, describe_error, text_of
from app.core.jsontext import dumps_strictly
from handlers import Defer, Operation, Outcome, Reject, Retry
from handlers.contract import Problem
from workers.engine.breakers.held_back import HeldBack
from workers.engine.claim.load_items import Loaded
from workers.engine.outcome.outcomes import Completed, Failure, Outcomes, Verdict
from workers.engine.process.time_limit import HandlerRaised, TimeLimitExceeded
from workers.engine.retries.attempts import COUNTED
from workers.engine.retries.deferrals import deferred
from workers.engine.retries.policy import RetryLater, seconds_to_next_try

HANDLER_ERROR = 500
LONGEST_RESULT = 32 * 1024 * 1024
"""Characters of a result's JSON text."""
_LARGEST_CODE = 2**31 - 1


class CannotBeStored(Reject):
    """The handler's result is none that Postgres takes: its item FAILED, and is not tried again."""

    default_code = HANDLER_ERROR

    def __init__(self, why: str) -> None:
        super().__init__(f"The handler's result cannot be stored: {why}")


def completed(answer: Outcome) -> Completed:
    """What `answer` comes to. Raises CannotBeStored where its result is none that can be kept."""
    result, message = answer.result, answer.message
    if result is not None:
        try:
            result = dumps_strictly(result)
        except MemoryError:
            raise CannotBeStored("it is too large") from None
        except Exception as error:  # a result may be anything, with code of its own
            raise CannotBeStored(describe_error(error)) from error
        if len(result) > LONGEST_RESULT:
            raise CannotBeStored(f"its JSON is longer than {LONGEST_RESULT:,} characters")
    return Completed(result, None if message is None else text_of(message), answer.pace)


def note(outcomes: Outcomes, loaded: Loaded, verdict: Verdict) -> None:
    """Add what `verdict` means for the item to `outcomes`.

    An exception that is no `Problem` is a failure, tried again as the operation says. Whatever a
    handler put into it, what is noted can be stored.
    """
    index = loaded.item.index
    if isinstance(verdict, Completed):
        outcomes.succeeded.append((index, verdict.result, verdict.message))
    elif isinstance(verdict, HeldBack):
        outcomes.held.append((index, verdict.breaker_id))
    elif isinstance(verdict, Reject) or (isinstance(verdict, TimeLimitExceeded) and verdict.final):
        outcomes.failures.append(
            Failure(
                index, loaded.operation.name, "FAILED", _code(verdict), _message(verdict), COUNTED
            )
        )
    elif isinstance(verdict, Defer):
        outcomes.retry_later.append(deferred(index, _code(verdict), _message(verdict)))
    else:
        _failed_try(outcomes, loaded, verdict)


def _failed_try(outcomes: Outcomes, loaded: Loaded, error: Exception) -> None:
    item = loaded.item
    code, message = _code(error), _message(error)
    wait = seconds_to_next_try(loaded.operation, item.attempt, error)
    if wait is None:
        name = loaded.operation.name
        outcomes.failures.append(Failure(item.index, name, "FAILED", code, message, COUNTED))
    else:
        outcomes.retry_later.append(RetryLater(item.index, wait, code, message, COUNTED))


def _message(error: Exception) -> str:
    """What the item's message says: a problem's own words, or the exception in one line."""
    said = attribute_of(error, "message") if isinstance(error, Problem) else None
    return (None if said is None else text_of(said)) or describe(error)


def _code(error: Exception) -> int:
    code = attribute_of(error, "code") if isinstance(error, Problem) else None
    if not isinstance(code, int) or isinstance(code, bool):
        return HANDLER_ERROR
    try:
        number = int(code)
    except BaseException:  # a subclass of int is somebody else's code
        return HANDLER_ERROR
    return number if 0 <= number <= _LARGEST_CODE else HANDLER_ERROR


def describe(error: BaseException) -> str:
    """An exception in one line; a database error by what the database said, without the SQL."""
    if isinstance(error, HandlerRaised):
        error = error.original
    original = attribute_of(error, "orig")
    if isinstance(original, BaseException):
        error = original
    if isinstance(error, MemoryError):
        return "MemoryError: it needs more memory than a worker process has"
    return describe_error(error)


def answer_of_one(operation: Operation, answer: object) -> Completed:
    """What a handler of one item answered. Raises TypeError where it is no `Outcome`."""
    if isinstance(answer, Outcome):
        return completed(answer)
    raise TypeError(f"the handler of {operation.name} {_said(answer)}; it must return an Outcome")


def answers_of_many(operation: Operation, count: int, answers: object) -> list[Verdict]:
    """What a bulk handler answered, one an item: an error in the place of what is no answer.

    Raises TypeError where it cannot be told which is whose.
    """
    name = f"the bulk handler of {operation.name}"
    if not isinstance(answers, (list, tuple)):
        raise TypeError(f"{name} {_said(answers)}; it must return a list of one answer an item")
    # A list of somebody's own may count and iterate as it likes.
    answers = list(answers)
    if len(answers) != count:
        raise TypeError(
            f"{name} returned {len(answers)} answers for {count} items; "
            "it must return a list of one answer an item"
        )
    verdicts: list[Verdict] = []
    for answer in answers:
        if isinstance(answer, Outcome):
            try:
                verdicts.append(completed(answer))
            except CannotBeStored as problem:
                verdicts.append(problem)
        elif isinstance(answer, (Reject, Retry, Defer)):
            verdicts.append(answer)
        else:
            verdicts.append(
                TypeError(
                    f"{name} {_said(answer)}; it must return an Outcome, a Reject, a Retry or a "
                    "Defer for each item"
                )
            )
    return verdicts


def _said(answer: object) -> str:
    if answer is None:
        return "returned nothing"
    if inspect.isawaitable(answer):
        return f"returned what has to be awaited ({type(answer).__name__})"
    return f"returned {type(answer).__name__}"
