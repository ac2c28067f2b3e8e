"""Processes see how many connections the others have, and leave them new ones."""

from __future__ import annotations

import time

from app.server.balance import Counts, Waiting


def test_who_has_more_leaves_one_to_others_and_only_for_a_moment() -> None:
    counts = Counts()
    counts.tell(1, 0)
    mine = Waiting(1, counts)
    assert not mine.begins(), "there is nobody else"
    counts.tell(2, 0)
    assert not mine.begins(), "nobody has less"
    counts.tell(1, 1)
    assert mine.begins()
    assert not mine.is_over()
    time.sleep(mine.left() or 0)
    assert mine.is_over()
    assert not mine.is_over()
    assert not mine.begins(), "the other did not take it"
    assert mine.begins(), "that was for one connection"
    time.sleep(mine.left() or 0)
    assert mine.is_over()
    mine.was_taken()
    assert mine.begins(), "the next one is another"
    counts.forget(2)
    mine = Waiting(1, counts)
    assert not mine.begins(), "the other has ended"
