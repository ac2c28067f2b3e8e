"""Some items of a batch are run again, or canceled: those that are chosen, and no others."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from app.batches.actions.chosen import ItemAction, act_on_items
from app.batches.choices import Choice
from app.batches.failures.identity import OTHER
from app.batches.long_work import Pace
from app.batches.queries import ItemFilter, list_items
from app.core.errors import WrongState
from app.db.statements.item_choices import LOCK_READY_SLICES, cancel_chosen_items
from tests.engine.rig import Message, Rig
from tests.engine.test_failures import failures, shown
from workers.engine.plan.advance import advance

STEPS = Pace(items=1, seconds=0.0)
"""Two steps in the request, of an item each: the rest is done behind it."""


def act(rig: Rig, batch_id: UUID, action: ItemAction, pace: Pace = STEPS, **choice: Any) -> int:
    selected = act_on_items(
        rig.engine, rig.client_id, batch_id, action, Choice(**choice), pace=pace
    )
    rig.messages.append(Message(batch_id))
    return selected


def ended(rig: Rig, **options: Any) -> UUID:
    """Of twelve items 1, 4, 7, 10 were rejected with 418, 2, 5, 8, 11 broke with 500."""
    kinds = [{}, {"do": "reject"}, {"do": "broken"}]
    batch_id = rig.submit("log.one", [{"uid": n, **kinds[n % 3]} for n in range(12)], **options)
    rig.run_out(batch_id)
    return batch_id


def attempts(rig: Rig, batch_id: UUID) -> list[int]:
    return [row.index for row in rig.items(batch_id) if row.status == "PENDING"]


@pytest.mark.parametrize(
    ("choice", "indexes"),
    [
        ({"indexes": (1, 2, 3, 8, 99)}, [1, 2, 8]),
        ({"code": 418}, [1, 4, 7, 10]),
        ({"code": 418, "indexes": (1, 2)}, [1]),
        ({"statuses": ("FAILED",)}, [1, 2, 4, 5, 7, 8, 10, 11]),
        ({"statuses": ("INVALID", "FAILED"), "code": 500}, [2, 5, 8, 11]),
        ({}, [1, 2, 4, 5, 7, 8, 10, 11]),
    ],
)
def test_those_run_again_that_are_chosen(
    rig: Rig, choice: dict[str, Any], indexes: list[int]
) -> None:
    batch_id = ended(rig)
    assert act(rig, batch_id, "retry", Pace(1000, 9), **choice) == len(indexes)
    assert attempts(rig, batch_id) == indexes
    assert rig.batch(batch_id).failed == 8 - len(indexes)
    assert sum(row.count for row in failures(rig, batch_id)) == 8 - len(indexes)
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "PARTIAL"
    assert [each[3] for each in shown(failures(rig, batch_id))] == [4, 4]


def test_in_steps_by_their_failure(rig: Rig) -> None:
    batch_id = ended(rig)
    [failure] = [row.failure for row in failures(rig, batch_id) if row.code == 500]
    assert act(rig, batch_id, "retry", failure=failure) == 4
    assert rig.batch(batch_id).doing == "retry"
    assert attempts(rig, batch_id) == [8, 11]
    rig.deliver_all()
    rig.run_out(batch_id)
    assert rig.batch(batch_id).failed == 8
    assert [each[3] for each in shown(failures(rig, batch_id))] == [4, 4]


def test_by_the_failure_of_those_beyond_the_thousandth(rig: Rig) -> None:
    batch_id = rig.submit(
        "log.one",
        [{"uid": n, "do": ("succeed", "reject")[n % 2]} for n in range(8)],
        start="manual",
    )
    rig.run(
        """INSERT INTO failures (batch_id, failure, number, operation, status, code, message)
           SELECT :id, 'f' || n, n, 'log.one', 'FAILED', 500, 'Another ' || n
           FROM generate_series(0, 999) AS n""",
        id=batch_id,
    )
    rig.act(batch_id, "start")
    rig.run_out(batch_id)
    beyond = [1, 3, 5, 7]
    assert [item.index for item in rig.items(batch_id) if item.failure == OTHER] == beyond
    with rig.engine.connect() as connection:
        which = ItemFilter(failure=OTHER)
        page, _ = list_items(connection, rig.client_id, batch_id, which=which, limit=10)
    assert [item.index for item in page] == beyond
    assert act(rig, batch_id, "retry", failure=OTHER) == len(beyond)
    rig.deliver_all()
    rig.run_out(batch_id)
    assert [item.index for item in rig.items(batch_id) if item.failure == OTHER] == beyond
    assert [row.count for row in failures(rig, batch_id) if row.failure == OTHER] == [len(beyond)]


def test_a_batch_that_still_runs_is_not_retried(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": 1}])
    with pytest.raises(WrongState, match="PENDING"):
        act(rig, batch_id, "retry", indexes=(0,))
    rig.run_out(batch_id)
    with pytest.raises(WrongState, match="SUCCESS"):
        act(rig, batch_id, "retry", indexes=(0,))
    with pytest.raises(WrongState, match="SUCCESS"):
        act(rig, batch_id, "cancel", indexes=(0,))


@pytest.mark.parametrize("action", ["retry", "cancel"])
def test_where_the_state_does_not_allow_it_nothing_is_looked_for(
    rig: Rig, action: ItemAction
) -> None:
    """To find what is chosen may take long: whoever only asks for a refusal does not get that."""
    batch_id = ended(rig) if action == "cancel" else rig.submit("log.one", [{"uid": 1}])
    seen: list[str] = []

    def see(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(rig.engine, "before_cursor_execute", see)
    try:
        with pytest.raises(WrongState):
            act(rig, batch_id, action, key="k")
    finally:
        event.remove(rig.engine, "before_cursor_execute", see)
    assert seen
    assert not [each for each in seen if "FROM items" in each]


def test_order_by_key_is_kept(rig: Rig) -> None:
    """Items of one key that run again do so one after the other, as submitted."""
    items = [{"uid": n, "key": f"k{n % 2}", "do": "broken"} for n in range(12)]
    batch_id = rig.submit("log.one", items)
    rig.run_out(batch_id)
    rig.run(
        """UPDATE items SET input = replace(CAST(input AS text), 'broken', 'succeed')::json
           WHERE batch_id = :id""",
        id=batch_id,
    )
    assert act(rig, batch_id, "retry", indexes=(1, 2, 3, 6, 8, 9, 11)) == 7
    rig.run_out(batch_id)
    assert rig.effects() == {"k0": [2, 6, 8], "k1": [1, 3, 9, 11]}


def test_what_is_pending_is_canceled(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(12)], start="manual")
    assert act(rig, batch_id, "cancel", indexes=(3, 4, 99)) == 2
    assert rig.batch(batch_id).status == "OPEN"
    rig.act(batch_id, "start")
    rig.run_out(batch_id)
    row = rig.batch(batch_id)
    assert (row.status, row.completed, row.canceled) == ("PARTIAL", 10, 2)
    assert rig.statuses(batch_id).count("CANCELED") == 2
    assert act(rig, batch_id, "retry", statuses=("CANCELED",)) == 2
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"


def test_what_a_worker_holds_is_passed_over(rig: Rig) -> None:
    """What waits in slices that nobody has claimed yet is canceled; what is under way finishes."""
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(20)])
    rig.deliver(rig.messages.pop(0))
    worker = rig.worker()
    claimed = rig.claim(rig.messages[0], worker)
    assert claimed is not None
    held = set(range(claimed.first_index, claimed.last_index + 1))
    selected = act(rig, batch_id, "cancel", statuses=("PENDING",))
    assert selected == 20 - len(held)
    assert rig.finish(claimed, worker)
    rig.run_out(batch_id)
    row = rig.batch(batch_id)
    assert (row.status, row.completed, row.canceled) == ("PARTIAL", len(held), selected)


@pytest.mark.parametrize("start", ["now", "manual"])
def test_a_batch_of_which_all_is_canceled(rig: Rig, start: str) -> None:
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(7)], start=start)
    assert act(rig, batch_id, "cancel", statuses=("PENDING",)) == 7
    if start == "manual":
        rig.deliver_all()
        assert rig.batch(batch_id).status == "OPEN"
        rig.act(batch_id, "start")
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "CANCELED"
    assert rig.effects() == {}


@pytest.mark.parametrize("paused", [True, False])
def test_a_batch_ends_where_nothing_is_left_of_it(rig: Rig, paused: bool) -> None:
    """Some of it had been claimed, and finishes; no more slices go over what is canceled."""
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(20)])
    rig.deliver(rig.messages.pop(0))
    worker = rig.worker()
    claimed = rig.claim(rig.messages[0], worker)
    assert claimed is not None
    if paused:
        rig.act(batch_id, "pause")
    held = claimed.last_index - claimed.first_index + 1
    assert act(rig, batch_id, "cancel", statuses=("PENDING",)) == 20 - held
    advance(rig.runtime, batch_id)
    before = rig.batch(batch_id)
    assert before.status == ("PAUSED" if paused else "RUNNING")
    assert rig.finish(claimed, worker)
    advance(rig.runtime, batch_id)
    row = rig.batch(batch_id)
    assert (row.status, row.completed, row.canceled) == ("PARTIAL", held, 20 - held)
    assert row.wave == before.wave


def test_it_is_in_the_audit(rig: Rig) -> None:
    batch_id = ended(rig)
    act(rig, batch_id, "retry", indexes=(1, 2), pace=Pace(1000, 9))
    with pytest.raises(WrongState):
        act(rig, batch_id, "cancel", failure="nothinglikeit")
    rows = rig.rows(
        "SELECT action, detail FROM audit WHERE batch_id = :id ORDER BY id", id=batch_id
    )
    assert [(row.action, row.detail) for row in rows][1:] == [
        ("items.retry", {"indexes": 2, "items": 2})
    ]


def test_what_is_given_back_meanwhile_is_left_alone(rig: Rig) -> None:
    """Another worker may claim it before the canceling is committed, and find its items pending."""
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(20)])
    rig.deliver(rig.messages.pop(0))
    worker = rig.worker()
    claimed = rig.claim(rig.messages[0], worker)
    assert claimed is not None
    with rig.engine.begin() as connection:
        # As a step of canceling does, with what happens between its two statements.
        locked = connection.execute(LOCK_READY_SLICES, {"batch_id": batch_id}).all()
        worker.heartbeat.give_back(claimed.claim)
        canceled = connection.execute(
            cancel_chosen_items(frozenset()),
            {
                "batch_id": batch_id,
                "first": 0,
                "end": 20,
                "waves": [row.wave for row in locked],
                "numbers": [row.number for row in locked],
            },
        ).rowcount
    assert canceled == 20 - claimed.size
    held = range(claimed.first_index, claimed.last_index + 1)
    assert {rig.statuses(batch_id)[n] for n in held} == {"PENDING"}
