"""Canceling, while a claim is given back, taken once more, or both, between any two statements.

It shows only by what another connection does in that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from tests.engine.rig import Rig
from workers.engine.claim.claims import ClaimedSlice


@contextmanager
def before_statement(rig: Rig, words: str, then: Callable[[], None]) -> Iterator[None]:
    """Before a statement that begins with `words` is sent for the first time, `then` is done."""
    waiting = [then]

    def look(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.strip().startswith(words) and waiting:
            waiting.pop()()

    event.listen(rig.engine, "before_cursor_execute", look)
    try:
        yield
        assert not waiting, "that statement never came"
    finally:
        event.remove(rig.engine, "before_cursor_execute", look)


MOMENTS = (
    "DELETE FROM slices",
    "UPDATE items SET status = 'CANCELED'",
    "UPDATE batches SET canceled",
    "SELECT count(*) FILTER",
)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_claim_given_back_amid_cancel_leaves_no_slice_behind(rig: Rig, moment: str) -> None:
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(10)])
    rig.deliver(rig.messages.pop(0))
    worker = rig.worker()
    claimed = rig.claim(rig.messages[0], worker)
    assert claimed is not None
    with before_statement(rig, moment, lambda: worker.heartbeat.give_back(claimed.claim)):
        rig.act(batch_id, "cancel")
    rig.messages.clear()
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.canceled, rig.slices(batch_id)) == ("CANCELED", 10, [])
    rig.act(batch_id, "retry", statuses=["CANCELED"])
    rig.run_out(batch_id, within=20)
    assert rig.batch(batch_id).status == "SUCCESS"


@pytest.mark.parametrize(
    ("given_back", "taken_again"),
    [
        (MOMENTS[1], MOMENTS[1]),
        (MOMENTS[1], MOMENTS[2]),
        *zip(MOMENTS[2:], MOMENTS[2:], strict=True),
    ],
)
def test_one_taken_once_more_amid_cancel_ends_with_its_effects(
    rig: Rig, given_back: str, taken_again: str
) -> None:
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(10)])
    rig.deliver(rig.messages.pop(0))
    message, worker, next_worker = rig.messages[0], rig.worker(), rig.worker()
    claimed = rig.claim(message, worker)
    assert claimed is not None
    again: list[ClaimedSlice | None] = []
    give_back = before_statement(rig, given_back, lambda: worker.heartbeat.give_back(claimed.claim))
    take = before_statement(rig, taken_again, lambda: again.append(rig.claim(message, next_worker)))
    with give_back, take:
        rig.act(batch_id, "cancel")
    [taken] = again
    assert taken is not None, "its worker does not see the cancel yet"
    assert rig.batch(batch_id).status == "RUNNING"
    assert rig.finish(taken, next_worker)
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.completed, batch.canceled) == ("CANCELED", 5, 5)
    done = [uid for uids in rig.effects().values() for uid in uids]
    succeeded = [n for n, status in enumerate(rig.statuses(batch_id)) if status == "SUCCESS"]
    assert sorted(done) == succeeded
