"""What takes long, in pieces: whose turn it is, and who is quick."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from app.core.computing.quick import Quick
from app.core.computing.turn import Turn

LONG_ENOUGH = 0.004
"""Seconds that a piece computes before `breathe` ends it."""


class _Mine(threading.local):
    """Whether this thread has the turn, since when, and whether it counts as quick."""

    has_turn = False
    since = 0.0
    is_quick = False


_turn = Turn()
_quick = Quick()
_mine = _Mine()


@contextmanager
def quickly() -> Iterator[None]:
    """Do in this block what is no piece of something that takes long, but within `alone`."""
    _be_quick(True)
    try:
        yield
    finally:
        _be_quick(False)


@contextmanager
def unhurried() -> Iterator[None]:
    """Wait in this block for what may take long; nobody else waits for it. Within `quickly`."""
    was_quick = _mine.is_quick
    _be_quick(False)
    try:
        yield
    finally:
        _be_quick(was_quick)


def _be_quick(quick: bool) -> None:
    if _mine.is_quick != quick:
        _mine.is_quick = quick
        _quick.more(1 if quick else -1)


def _take_turn() -> None:
    _turn.take()
    _quick.let_them_end()
    _mine.has_turn, _mine.since = True, time.monotonic()


def _leave_turn() -> None:
    _quick.computed(time.monotonic() - _mine.since)
    _mine.has_turn = False
    _turn.leave()


@contextmanager
def alone() -> Iterator[None]:
    """Compute a piece of what takes long in this block, while nobody else does; waits for that.

    Within another `alone` of the same thread it does nothing.
    """
    if _mine.has_turn:
        yield
        return
    with unhurried():
        _take_turn()
        try:
            yield
        finally:
            _leave_turn()


@contextmanager
def aside() -> Iterator[None]:
    """Let others compute in this block, then go on at the end of their line.

    In a thread that has no turn it does nothing.
    """
    if not _mine.has_turn:
        yield
        return
    _leave_turn()
    try:
        yield
    finally:
        _take_turn()


def breathe() -> None:
    """End this piece, if it is `LONG_ENOUGH`, and go on at the end of the line; takes 0.1 us.

    In a thread that has no turn it does nothing.
    """
    if _mine.has_turn and time.monotonic() - _mine.since >= LONG_ENOUGH:
        with aside():
            pass


def in_line() -> int:
    """How many threads wait for their turn."""
    return _turn.waiting()
