"""A call's time limit: a handler that takes too long is interrupted where it stands.

In a process's main thread (prefork, solo) by SIGALRM: an exception appears in the handler. One
that cannot be reached that way (it blocks the signal, or swallows the exception, or sits in C code
that does not look) is ended with its process by the watchdog (watchdog.py).

In a worker with threads no thread can be interrupted. The handler runs in a helper thread there,
which is abandoned when its time is up: the worker goes on with the next item, and what the
abandoned thread answers later is ignored.
"""

from __future__ import annotations

import contextvars
import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

import structlog

from handlers.contract import Problem

T = TypeVar("T")
log = structlog.get_logger(__name__)


class TimeLimitExceeded(Problem):
    """The handler took longer than its operation allows.

    `final`: it goes on all the same, so that trying again would only have two of it.
    """

    default_code = 504

    def __init__(self, seconds: float, *, final: bool = False) -> None:
        super().__init__(exceeded(seconds))
        self.final = final


def exceeded(seconds: float) -> str:
    """The message of an item whose handler took too long."""
    return f"Exceeded the operation's time limit of {seconds:g} s"


class _Interrupted(BaseException):
    """Raised inside a handler. A BaseException, so that `except Exception` does not catch it."""


class HandlerRaised(Exception):
    """A handler raised what is no Exception (SystemExit, CancelledError, a library's panic).

    To whoever called it, it is an exception like any other. `original`: what it was.
    """

    def __init__(self, original: BaseException) -> None:
        super().__init__(type(original).__name__)
        self.original = original


def limited_call(seconds: float, call: Callable[[], T]) -> T:
    """`call()`, or TimeLimitExceeded once it has run for `seconds`.

    Whatever `call` raises is an Exception: what is none is in a HandlerRaised.
    """
    if threading.current_thread() is threading.main_thread():
        return _alarmed(seconds, lambda: _tamed(call))
    return _helped(seconds, lambda: _tamed(call))


def _tamed(call: Callable[[], T]) -> T:
    try:
        return call()
    except (Exception, _Interrupted):
        raise
    except BaseExceptionGroup as group:
        # A task group of asyncio wraps the interruption too.
        if group.subgroup(_Interrupted) is not None:
            raise _Interrupted from group
        raise HandlerRaised(group) from group
    except BaseException as error:
        raise HandlerRaised(error) from error


_armed = False


def _alarmed(seconds: float, call: Callable[[], T]) -> T:
    global _armed
    if signal.getsignal(signal.SIGALRM) is not _interrupt:
        signal.signal(signal.SIGALRM, _interrupt)
    try:
        try:
            _armed = True
            signal.setitimer(signal.ITIMER_REAL, seconds)
            return call()
        finally:
            # Either may come first. An alarm after the call is over is ignored.
            _armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _Interrupted:
        raise TimeLimitExceeded(seconds) from None


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    if _armed:
        raise _Interrupted


class _Call:
    """One call in a helper thread."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._context = contextvars.copy_context()
        self.done = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._context.run(self._call)
        except BaseException as error:
            self.error = error
        self.done.set()


class _Helper:
    """A thread that runs calls for another, until it is told to stop or is abandoned."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        # Of the queue alone: a thread that knew its helper would keep it from being collected.
        threading.Thread(target=_work, args=(self._calls,), name="handler", daemon=True).start()

    def start(self, call: Callable[[], Any]) -> _Call:
        job = _Call(call)
        self._calls.put(job)
        return job

    def stop(self) -> None:
        """End once the present call is over."""
        self._calls.put(None)

    def __del__(self) -> None:
        self.stop()


def _work(calls: queue.SimpleQueue[_Call | None]) -> None:
    while (job := calls.get()) is not None:
        job.run()
        del job


_local = threading.local()


def _helped(seconds: float, call: Callable[[], T]) -> T:
    helper: _Helper | None = getattr(_local, "helper", None)
    if helper is None:
        helper = _local.helper = _Helper()
    job = helper.start(call)
    if not job.done.wait(seconds):
        log.warning("thread.abandoned", seconds=seconds)
        helper.stop()
        _local.helper = None
        raise TimeLimitExceeded(seconds, final=True)
    if job.error is not None:
        raise job.error
    result: T = job.result
    return result
