"""Long work in steps: broken off anywhere, gone on with by anybody, and nothing else meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text

from app.batches.actions import ACTIONS, amend, remove
from app.batches.long_work import Left, Pace, continue_long_work
from app.batches.queries import find_batch
from app.core import lifecycle
from app.core.errors import WrongState
from app.db.statements.batches import lock_batch_row
from app.db.statements.long_work import RETRY_ITEMS_WITH_CODE
from tests.engine.rig import Message, Rig

ITEMS = 12
# A step of two items: the first one in the transaction that asks, one more behind it.
STEP = Pace(items=2, seconds=0.0)


def _bad(count: int = ITEMS) -> list[dict[str, Any]]:
    return [{"uid": n, "do": "reject"} for n in range(count)]


def _ended(rig: Rig) -> UUID:
    batch_id = rig.submit("log.one", _bad())
    rig.run_out(batch_id)
    return batch_id


def _open(rig: Rig) -> UUID:
    return rig.submit("log.one", _bad(), start="manual")


def _cancel(rig: Rig, batch_id: UUID) -> None:
    rig.act(batch_id, "cancel", pace=STEP)


def _retry(rig: Rig, batch_id: UUID) -> None:
    rig.act(batch_id, "retry", pace=STEP)


def _reset(rig: Rig, batch_id: UUID) -> None:
    rig.act(batch_id, "reset", pace=STEP)


def _delete(rig: Rig, batch_id: UUID) -> None:
    assert not remove(rig.engine, rig.client_id, batch_id, pace=STEP)


BEGUN: dict[str, tuple[Callable[[Rig], UUID], Callable[[Rig, UUID], None]]] = {
    "cancel": (_open, _cancel),
    "retry": (_ended, _retry),
    "reset": (_ended, _reset),
    "delete": (_ended, _delete),
}


def _begun(rig: Rig, action: str) -> UUID:
    """A batch of which that has been asked, and of whose items a third are through."""
    make, ask = BEGUN[action]
    batch_id = make(rig)
    rig.messages.clear()
    ask(rig, batch_id)
    assert rig.batch(batch_id).doing == action
    return batch_id


def test_every_long_action_is_tried() -> None:
    assert set(BEGUN) == set(lifecycle.LONG_ACTIONS)


@pytest.mark.parametrize("action", BEGUN)
def test_until_it_is_over_everything_else_is_refused_by_name(rig: Rig, action: str) -> None:
    batch_id = _begun(rig, action)
    before, items = rig.batch(batch_id), rig.items(batch_id)
    being = {"cancel": "canceled", "retry": "retried", "reset": "reset", "delete": "deleted"}
    said = f"is {before.status} and being {being[action]}"
    for other in ACTIONS:
        if other != action or action in ("retry", "reset"):
            with pytest.raises(WrongState, match=said):
                rig.act(batch_id, other, pace=STEP)
    if action != "delete":
        with pytest.raises(WrongState, match=said):
            remove(rig.engine, rig.client_id, batch_id, pace=STEP)
    with pytest.raises(WrongState, match=said):
        amend(rig.engine, rig.client_id, batch_id, {"name": "new"})
    with pytest.raises(WrongState, match=said):
        rig.append(batch_id, [{"uid": 99}])
    assert (rig.batch(batch_id), rig.items(batch_id)) == (before, items)


@pytest.mark.parametrize("action", ["cancel", "delete"])
def test_to_ask_once_more_for_the_end_is_no_error(rig: Rig, action: str) -> None:
    batch_id = _begun(rig, action)
    before = rig.batch(batch_id).doing_done
    BEGUN[action][1](rig, batch_id)
    assert rig.batch(batch_id).doing_done > before


@pytest.mark.parametrize("action", BEGUN)
def test_what_is_seen_meanwhile(rig: Rig, action: str) -> None:
    make, ask = BEGUN[action]
    batch_id = make(rig)
    status = rig.batch(batch_id).status
    ask(rig, batch_id)
    seen = []
    while rig.there(batch_id) and rig.batch(batch_id).doing:
        with rig.engine.connect() as connection:
            view = find_batch(connection, rig.client_id, batch_id)
        assert view.doing is not None
        assert (view.doing.action, view.doing.total, view.status) == (action, ITEMS, status)
        assert not view.ended, "it goes on by itself"
        assert sum((view.summary.pending, view.summary.running, view.summary.ended)) == ITEMS
        if action == "cancel":
            assert view.summary.canceled == view.doing.done
        seen.append((view.doing.done, view.revision))
        continue_long_work(rig.engine, batch_id, STEP)
    assert [done for done, _ in seen] == [4, 6, 8, 10]
    assert len({revision for _, revision in seen}) == len(seen)


def _over(rig: Rig, action: str, batch_id: UUID) -> None:
    """That it came to what it comes to for a small batch."""
    if action == "delete":
        assert not rig.there(batch_id)
        assert not rig.items(batch_id)
        return
    batch, statuses = rig.batch(batch_id), rig.statuses(batch_id)
    assert (batch.doing, batch.doing_index, batch.doing_at) == (None, None, None)
    expected = {
        "cancel": ("CANCELED", ITEMS, ["CANCELED"] * ITEMS, (0, ITEMS)),
        "retry": ("PENDING", ITEMS, ["PENDING"] * ITEMS, (0, 0)),
        "reset": ("OPEN", 0, [], (0, 0)),
    }[action]
    assert (batch.status, batch.total, statuses, (batch.failed, batch.canceled)) == expected


@pytest.mark.parametrize("action", BEGUN)
def test_small_batches_are_done_with_at_once(rig: Rig, action: str) -> None:
    batch_id = BEGUN[action][0](rig)
    if action == "delete":
        assert remove(rig.engine, rig.client_id, batch_id)
    else:
        rig.act(batch_id, action)
    _over(rig, action, batch_id)


@pytest.mark.parametrize("action", BEGUN)
def test_a_step_that_breaks_off_leaves_nothing(rig: Rig, action: str) -> None:
    batch_id = _begun(rig, action)
    for _ in range(20):
        if not rig.there(batch_id) or not rig.batch(batch_id).doing:
            break
        before, items = rig.batch(batch_id), rig.items(batch_id)
        with dying_before_the_commit(rig), pytest.raises(Died):
            continue_long_work(rig.engine, batch_id, STEP)
        assert (rig.batch(batch_id), rig.items(batch_id)) == (before, items)
        continue_long_work(rig.engine, batch_id, STEP)
    _over(rig, action, batch_id)


class Died(Exception):
    """The process, where a test says so."""


@contextmanager
def dying_before_the_commit(rig: Rig) -> Iterator[None]:
    def die(connection: Any) -> None:
        connection.connection.close()
        raise Died

    event.listen(rig.engine, "commit", die)
    try:
        yield
    finally:
        event.remove(rig.engine, "commit", die)


def _sent_for(rig: Rig, batch_id: UUID) -> int:
    """How often the batch has been sent for. (What other tests left lying is not looked at.)"""
    return rig.messages.count(Message(batch_id))


@pytest.mark.parametrize("action", BEGUN)
def test_the_sweep_finds_what_nobody_goes_on_with(rig: Rig, action: str) -> None:
    batch_id = _begun(rig, action)
    rig.runtime.pace = STEP
    rig.messages.clear()  # the call of the request is lost
    rig.sweep()
    assert _sent_for(rig, batch_id) == 0, "somebody was at it a moment ago"
    rig.time_passes()
    rig.sweep()
    assert _sent_for(rig, batch_id) == 1
    rig.sweep()
    assert _sent_for(rig, batch_id) == 1, "it has been sent for"
    while rig.there(batch_id) and rig.batch(batch_id).doing:
        assert _sent_for(rig, batch_id) == 1, "each time it sends for itself"
        rig.messages.remove(Message(batch_id))
        rig.deliver(Message(batch_id))
    if action == "retry":
        rig.run_out(batch_id)  # whoever finished it has begun it, too
        assert rig.batch(batch_id).failed == ITEMS
    else:
        _over(rig, action, batch_id)


def test_the_longer_nobody_comes_the_less_often_it_is_sent_for(rig: Rig) -> None:
    batch_id = _begun(rig, "delete")
    for seconds, times in ((20, 0), (25, 1)):
        rig.run(
            """UPDATE batches SET doing_sends = 3,
                      doing_at = now() - make_interval(secs => :seconds) WHERE id = :id""",
            seconds=seconds,
            id=batch_id,
        )
        rig.sweep()
        assert _sent_for(rig, batch_id) == times


def test_who_finds_it_locked_leaves(rig: Rig) -> None:
    batch_id = _begun(rig, "reset")
    rig.time_passes()
    rig.messages.clear()
    with rig.engine.begin() as connection:
        connection.execute(lock_batch_row(), {"batch_id": batch_id})
        left: list[Left] = []
        other = threading.Thread(
            target=lambda: left.append(continue_long_work(rig.engine, batch_id))
        )
        other.start()
        other.join(timeout=20)
        assert left == [Left.FOR_OTHERS]
        rig.sweep()
        assert _sent_for(rig, batch_id) == 0
    assert continue_long_work(rig.engine, batch_id) is Left.NOTHING
    assert continue_long_work(rig.engine, batch_id) is Left.NOTHING


def test_many_at_once_do_it_once(rig: Rig) -> None:
    batch_id = rig.submit("log.one", _bad(400), start="manual")
    rig.act(batch_id, "cancel", pace=STEP)
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        while rig.batch(batch_id).doing:
            continue_long_work(rig.engine, batch_id, Pace(items=5, seconds=0.2))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.canceled, batch.total) == ("CANCELED", 400, 400)


@pytest.mark.parametrize("action", BEGUN)
def test_what_an_earlier_release_did_meanwhile_counts(rig: Rig, action: str) -> None:
    """It knows nothing of `doing`, so it may move the batch on in the middle."""
    batch_id = _begun(rig, action)
    if action == "cancel":
        rig.run(
            """UPDATE items SET status = 'CANCELED', finished_at = now()
               WHERE batch_id = :id AND status = 'PENDING'""",
            id=batch_id,
        )
        rig.run(
            """UPDATE batches SET status = 'CANCELED', canceled = total, finished_at = now(),
                      stopping = NULL WHERE id = :id""",
            id=batch_id,
        )
    else:
        rig.run(
            "UPDATE batches SET status = 'PENDING', finished_at = NULL WHERE id = :id", id=batch_id
        )
    status = rig.batch(batch_id).status
    assert continue_long_work(rig.engine, batch_id, STEP) is Left.NOTHING
    assert (rig.batch(batch_id).doing, rig.batch(batch_id).status) == (None, status)


def test_a_retry_of_three_costs_three(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [], start="manual")
    rig.run(
        """INSERT INTO items (batch_id, index, input, status, finished_at, code)
           SELECT :id, n, '{}', CASE WHEN n % 20000 = 7 THEN 'FAILED' ELSE 'SUCCESS' END, now(),
                  CASE WHEN n % 20000 = 7 THEN 500 END FROM generate_series(0, 59999) n""",
        id=batch_id,
    )
    rig.run("ANALYZE items")
    asked = {"batch_id": batch_id, "end": 60_000, "most": 10_000, "statuses": ["FAILED"]}
    explain = text("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + RETRY_ITEMS_WITH_CODE.text)
    with rig.engine.connect() as connection:
        [plan] = connection.execute(explain, asked).scalar_one()
    buffers = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    assert buffers < 200, plan
    rig.run(
        """UPDATE batches SET status = 'CANCELED', total = 60000, completed = 59997, failed = 3,
                  finished_at = now() WHERE id = :id""",
        id=batch_id,
    )
    rig.act(batch_id, "retry")
    pending = "SELECT index FROM items WHERE batch_id = :id AND status = 'PENDING' ORDER BY index"
    assert [row[0] for row in rig.rows(pending, id=batch_id)] == [7, 20_007, 40_007]


def test_a_retry_ends_with_the_last_that_was_canceled(rig: Rig) -> None:
    """They have no code: they are looked for from the end, where most stand."""
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(20)])
    rig.deliver(rig.messages.pop(0))
    rig.deliver(rig.messages.pop(0))
    rig.act(batch_id, "cancel")
    assert rig.statuses(batch_id) == ["SUCCESS"] * 5 + ["CANCELED"] * 15
    rig.act(batch_id, "retry", statuses=["CANCELED", "FAILED"], pace=Pace(items=5, seconds=0.0))
    assert rig.batch(batch_id).doing_index == 10
    continue_long_work(rig.engine, batch_id, Pace(items=5, seconds=0.0))
    assert rig.batch(batch_id).status == "PENDING", "the first five are not looked at"
    rig.run_out(batch_id)
    assert rig.batch(batch_id).completed == 20


@pytest.mark.parametrize("action", ["retry", "reset"])
def test_a_slice_that_an_ended_batch_was_left_with_holds_nothing_up(rig: Rig, action: str) -> None:
    batch_id = _ended(rig)
    rig.run(
        """INSERT INTO slices (batch_id, wave, number, queue, phase, first_index, last_index, size)
           VALUES (:id, 9, 0, 'fast', 'run', 0, 4, 5)""",
        id=batch_id,
    )
    rig.act(batch_id, action)
    if action == "reset":
        rig.append(batch_id, _bad(3))
        rig.act(batch_id, "start")
    rig.run_out(batch_id, within=20)
    assert rig.batch(batch_id).status == "FAILED"
