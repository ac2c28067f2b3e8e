"""From what a handler answered to what is written of the item."""

from __future__ import annotations

import math

from app.jsontext import dumps
from handlers import Defer, Operation, Outcome, Reject, Retry
from handlers.contract import Answer, Problem
from workers.engine.loading import Loaded
from workers.engine.outcomes import Failure, Outcomes, PutOff
from workers.engine.timelimit import TimeLimitExceeded

HANDLER_ERROR = 500
LONGEST_WAIT = 365 * 24 * 3600.0
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
        outcomes.failures.append(Failure(index, "FAILED", _code(answer), str(answer.message), 1))
    elif isinstance(answer, Defer):
        outcomes.put_off.append(PutOff(index, 0.0, _code(answer), str(answer.message), 0))
    else:
        _try_again(outcomes, loaded, answer)


def _try_again(outcomes: Outcomes, loaded: Loaded, error: Exception) -> None:
    item, operation = loaded.item, loaded.operation
    message = str(error.message) if isinstance(error, Problem) else describe(error)
    code = _code(error)
    if item.attempt >= operation.max_attempts:
        outcomes.failures.append(Failure(item.index, "FAILED", code, message, 1))
        return
    wait = _wait(error.after) if isinstance(error, Retry) else None
    if wait is None:
        wait = operation.backoff(item.attempt)
    outcomes.put_off.append(PutOff(item.index, wait, code, message, 1))


def _code(error: Exception) -> int:
    code = error.code if isinstance(error, Problem) else HANDLER_ERROR
    known = isinstance(code, int) and not isinstance(code, bool) and 0 <= code <= _LARGEST_CODE
    return code if known else HANDLER_ERROR


def _wait(after: object) -> float | None:
    """Seconds, as a handler said them; None where it did not say a number."""
    try:
        seconds = float(after)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return None if math.isnan(seconds) else min(max(0.0, seconds), LONGEST_WAIT)


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
