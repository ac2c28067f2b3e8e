"""Handlers' exceptions in the log: with their traceback, but not one for each of many items.

Without the exception's words, which may hold what the item holds: they stand with the item, for who
may read it. At the level DEBUG they are logged, too.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from uuid import UUID

import structlog

from app.core.error_text import LONGEST_TEXT, describe_error
from app.core.log_scrubbing import frames_of, kind_of
from handlers.contract import Problem
from workers.engine.outcome.classify import CannotBeStored, describe
from workers.engine.process.time_limit import HandlerRaised
from workers.engine.run.given_connection import TransactionEnded

log = structlog.get_logger(__name__)

_EVERY = 60.0
# Kinds that are remembered. Their number is that of places in handlers; should one make up types
# as it goes, it begins anew.
_MOST_KINDS = 1000
# Characters of a traceback.
_LONGEST = 20_000


class HandlerLog:
    """Shows the first failure of a kind, and after a minute the next, with how many were not shown.

    A kind is an operation, a type of exception, and the line that raised it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # Until when nothing of the kind is shown, and how many were not.
        self._kinds: dict[tuple[object, ...], tuple[float, int]] = {}

    def failed(self, operation: str, batch_id: UUID, index: int, error: Exception) -> None:
        """An item's handler failed by `error`. What a handler says itself is not shown."""
        own_words = isinstance(error, Problem)
        if own_words and not isinstance(error, (CannotBeStored, TransactionEnded)):
            return
        raised = error.original if isinstance(error, HandlerRaised) else error
        if (not_shown := self._turn((operation, type(raised), _last_line(raised)))) is None:
            return
        log.warning(
            "handler.failed",
            operation=operation,
            batch=str(batch_id),
            item=index,
            error=describe(raised) if own_words or _in_full() else kind_of(raised),
            not_shown=not_shown,
            exception=_traceback(raised) if _in_full() else _frames(raised),
        )

    def _turn(self, kind: tuple[object, ...]) -> int | None:
        """How many of the kind were not shown, where one may be shown now."""
        now = self._clock()
        with self._lock:
            until, not_shown = self._kinds.get(kind, (0.0, 0))
            if now < until:
                self._kinds[kind] = (until, not_shown + 1)
                return None
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            self._kinds[kind] = (now + _EVERY, 0)
            return not_shown


handler_log = HandlerLog()
"""That of the process."""


def _last_line(error: BaseException) -> tuple[str, int] | None:
    """Where it was raised."""
    last: TracebackType | None = error.__traceback__
    if last is None:
        return None
    while last.tb_next is not None:
        last = last.tb_next
    return last.tb_frame.f_code.co_filename, last.tb_lineno


def _in_full() -> bool:
    return logging.getLogger(__name__).isEnabledFor(logging.DEBUG)


def _frames(error: BaseException) -> str:
    try:
        return frames_of(error)[-_LONGEST:].rstrip()
    except BaseException as broken:  # an exception may be anything
        return f"no traceback can be made: {type(broken).__name__}"


def _traceback(error: BaseException) -> str:
    """As Python prints it, with no more than the end of one that is very long.

    Made here, not by what prints the log: that may show values of variables, which are nobody's
    business, and ask objects for their text that have none.
    """
    try:
        if len(describe_error(error)) < LONGEST_TEXT:
            lines = traceback.format_exception(error)
        else:
            lines = [*traceback.format_tb(error.__traceback__), describe_error(error)[:_LONGEST]]
    except BaseException as broken:  # an exception may be anything
        return f"no traceback can be made: {type(broken).__name__}"
    return "".join(lines)[-_LONGEST:].rstrip()
