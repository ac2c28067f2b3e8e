"""From what a handler answered to what is written of the item."""

from __future__ import annotations

from app.core.jsontext import dumps
from handlers import Defer, Operation, Outcome, Reject, Retry
from handlers.contract import Answer, Problem
from workers.engine.claim.load_items import Loaded
from workers.engine.outcome.outcomes import Failure, Outcomes
from workers.engine.process.time_limit import TimeLimitExceeded
from workers.engine.retries.attempts import COUNTED
from workers.engine.retries.deferrals import deferred
from workers.engine.retries.policy import RetryLater, seconds_to_next_try

HANDLER_ERROR = 500
_LARGEST_CODE = 2**31 - 1


def note(outcomes: Outcomes, loaded: Loaded, answer: Answer | Exception) -> None:
    """Add what `answer` means for the item to `outcomes`.

    Anything that is neither an `Outcome` nor a `Problem` is a failure, tried again as the
    operation says. Whatever a handler put into its answer, what is noted can be stored.
    """
    index = loaded.item.index
    if isinstance(answer, Outcome):
        try:
            result = None if answer.result is None else dumps(answer.result)
        except (TypeError, ValueError, RecursionError) as error:
            note(outcomes, loaded, Reject(f"The handler's result is no JSON: {error}", code=500))
            return
        message = None if answer.message is None else str(answer.message)
        outcomes.succeeded.append((index, result, message))
    elif isinstance(answer, Reject) or (isinstance(answer, TimeLimitExceeded) and answer.final):
        outcomes.failures.append(
            Failure(index, "FAILED", _code(answer), str(answer.message), COUNTED)
        )
    elif isinstance(answer, Defer):
        outcomes.retry_later.append(deferred(index, _code(answer), str(answer.message)))
    else:
        _failed_try(outcomes, loaded, answer)


def _failed_try(outcomes: Outcomes, loaded: Loaded, error: Exception) -> None:
    item = loaded.item
    message = str(error.message) if isinstance(error, Problem) else describe(error)
    wait = seconds_to_next_try(loaded.operation, item.attempt, error)
    if wait is None:
        outcomes.failures.append(Failure(item.index, "FAILED", _code(error), message, COUNTED))
    else:
        outcomes.retry_later.append(RetryLater(item.index, wait, _code(error), message, COUNTED))


def _code(error: Exception) -> int:
    code = error.code if isinstance(error, Problem) else HANDLER_ERROR
    known = isinstance(code, int) and not isinstance(code, bool) and 0 <= code <= _LARGEST_CODE
    return code if known else HANDLER_ERROR


def describe(error: BaseException) -> str:
    """An exception in one line; a database error by what the database said, without the SQL."""
    error = getattr(error, "orig", None) or error
    if isinstance(error, MemoryError):
        return "MemoryError: it needs more memory than a worker process has"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def checked(operation: Operation, items: list[Loaded], answers: object) -> list[Answer]:
    """A bulk handler's answers, one an item. Raises TypeError where they are not that."""
    if not isinstance(answers, (list, tuple)) or len(answers) != len(items):
        raise TypeError(
            f"the bulk handler of {operation.name} must answer with one outcome an item"
        )
    for answer in answers:
        if not isinstance(answer, (Outcome, Reject, Retry, Defer)):
            raise TypeError(
                f"the bulk handler of {operation.name} answered {type(answer).__name__}"
            )
    return list(answers)
