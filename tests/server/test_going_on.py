"""Answers that are made a piece at a time: how many of them are begun at once."""

from __future__ import annotations

import threading
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from app.server.answering import After
from app.server.at_work import AtWork
from app.server.bounds import MOST_BEGUN
from app.server.places import Places

_PIECES = 5
_MANY = 10 * MOST_BEGUN


class Asked:
    """A connection, as far as a thread looks at it."""

    peer = server = None

    def __init__(self, answering: Any) -> None:
        self.holding = SimpleNamespace(client="one", at_work=None)
        self.answering = answering

    def answered(self, _: After) -> None:
        """Nobody waits for it."""


class Lists:
    """What is at work on `many` lists, of one client, by one thread."""

    def __init__(self, many: int) -> None:
        self.begun = self.most_begun = self.ended = 0
        self.all_ended = threading.Event()
        self._many = many
        self.web: Any = SimpleNamespace(
            work=Places(1, 1),
            loop=SimpleNamespace(do=lambda task: task(), call=lambda task: task()),
            alive=True,
            keepalive=1,
        )
        self.threads = AtWork(self.web, 1)

    def ask(self) -> None:
        """One more is asked for."""
        answering = SimpleNamespace(begin=self._begin, left=_PIECES)
        answering.go_on = partial(self._go_on, answering)
        connection: Any = Asked(answering)
        self.web.work.ask("one", partial(self.threads.submit, self.threads.answer, connection))

    def _begin(self, *_: Any, close: bool) -> After:
        assert not close
        self.begun += 1
        self.most_begun = max(self.begun, self.most_begun)
        return After.TURN

    def _go_on(self, answering: Any) -> After:
        answering.left -= 1
        if answering.left:
            return After.TURN
        self.begun -= 1
        self.ended += 1
        if self.ended == self._many:
            self.all_ended.set()
        return After.CLOSE


@pytest.mark.parametrize("many", [1, MOST_BEGUN, _MANY])
def test_of_many_lists_a_few_are_begun_at_a_time(many: int) -> None:
    lists = Lists(many)
    held = lists.web.work.ask("one", lambda _: None)
    for _ in range(many):
        lists.ask()
    lists.web.work.leave(held)
    assert lists.all_ended.wait(30)
    lists.threads.end()
    # Beside those that wait: the one at work, and the one that has just made room for it.
    assert min(many, MOST_BEGUN) <= lists.most_begun <= MOST_BEGUN + 2
