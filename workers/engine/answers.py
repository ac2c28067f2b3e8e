"""From what a handler answered to what is written of the item."""

from __future__ import annotations

from app.jsontext import dumps
from handlers import Defer, Operation, Outcome, Reject, Retry
from handlers.contract import Answer, Problem
from workers.engine.loading import Loaded
from workers.engine.outcomes import Failure, Outcomes, PutOff

HANDLER_ERROR = 500


def note(outcomes: Outcomes, loaded: Loaded, answer: Answer | Exception) -> None:
    """Add what `answer` means for the item to `outcomes`.

    Anything that is neither an `Outcome` nor a `Problem` is a failure, tried again as the
    operation says.
    """
    index = loaded.item.index
    if isinstance(answer, Outcome):
        try:
            result = None if answer.result is None else dumps(answer.result)
        except (TypeError, ValueError, RecursionError) as error:
            note(outcomes, loaded, Reject(f"The handler's result is no JSON: {error}", code=500))
            return
        outcomes.succeeded.append((index, result, answer.message))
    elif isinstance(answer, Reject):
        outcomes.failures.append(Failure(index, "FAILED", answer.code, answer.message, 1))
    elif isinstance(answer, Defer):
        outcomes.put_off.append(PutOff(index, 0.0, answer.code, answer.message, 0))
    else:
        _try_again(outcomes, loaded, answer)


def _try_again(outcomes: Outcomes, loaded: Loaded, error: Exception) -> None:
    item, operation = loaded.item, loaded.operation
    message = error.message if isinstance(error, Retry) else describe(error)
    code = error.code if isinstance(error, Problem) else HANDLER_ERROR
    if item.attempt >= operation.max_attempts:
        outcomes.failures.append(Failure(item.index, "FAILED", code, message, 1))
        return
    after = error.after if isinstance(error, Retry) else None
    wait = operation.backoff(item.attempt) if after is None else max(0.0, after)
    outcomes.put_off.append(PutOff(item.index, wait, code, message, 1))


def describe(error: BaseException) -> str:
    """An exception in one line."""
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
