"""How it is found out that what was away is back: one item at a time."""

from __future__ import annotations

from app.db.statements.waiting_for_breakers import WAKE_FOR_PROBES
from tests.engine.breaking import (
    Downstream,
    come_back,
    items,
    rest_is_over,
    settle_down,
    status,
    waiting_for,
)
from tests.engine.rig import Message, Rig


def test_a_failed_try_costs_no_attempt_and_is_one_item(rig: Rig, downstream: Downstream) -> None:
    downstream.away = True
    batch_id = rig.submit("calls.out", items(30))
    settle_down(rig, batch_id)
    attempts = [item.attempts for item in rig.items(batch_id)]
    for _ in range(3):
        before = len(downstream.seen)
        rest_is_over(rig)
        rig.sweep()
        settle_down(rig, batch_id)
        assert len(downstream.seen) == before + 1
        assert status(rig) == "open"
        assert [item.attempts for item in rig.items(batch_id)] == attempts
    assert waiting_for(rig, batch_id) == "breaker"


def test_two_batches_make_one_try(rig: Rig, downstream: Downstream) -> None:
    downstream.away = True
    first = rig.submit("calls.out", items(10))
    settle_down(rig, first)
    second = rig.submit("calls.out", items(10))
    settle_down(rig, second)
    assert waiting_for(rig, second) == "breaker"
    before = len(downstream.seen)
    rest_is_over(rig)
    other = rig.worker()
    for batch_id in (first, second):
        rig.deliver(Message(batch_id))
        rig.deliver(Message(batch_id), other)
    settle_down(rig, first)
    assert len(downstream.seen) == before + 1
    come_back(rig, downstream)
    rig.run_out(first, second)


def test_an_item_that_is_wrong_by_itself_closes_it(rig: Rig, downstream: Downstream) -> None:
    downstream.away = True
    batch_id = rig.submit("calls.out", items(10))
    settle_down(rig, batch_id)
    rig.act(batch_id, "pause")
    rest_is_over(rig)
    wrong = rig.submit("calls.out", items(1, do="reject"))
    settle_down(rig, wrong)
    assert rig.batch(wrong).status == "FAILED"
    assert rig.items(wrong)[0].attempts == 1
    assert status(rig) == "closed"


def test_a_worker_that_dies_trying_is_followed_by_another(rig: Rig, downstream: Downstream) -> None:
    downstream.away = True
    batch_id = rig.submit("calls.out", items(10))
    settle_down(rig, batch_id)
    dead = rig.worker()
    rig.run(
        """UPDATE breakers SET status = 'probing', probe_at = NULL, probe_worker = :worker,
               probe_token = gen_random_uuid(), probe_until = now() + interval '1 hour'""",
        worker=dead.heartbeat.worker_id,
    )
    rig.sweep()
    settle_down(rig, batch_id)
    assert status(rig) == "probing"
    dead.heartbeat.die()  # type: ignore[attr-defined]
    come_back(rig, downstream)
    rig.run_out(batch_id)
    assert status(rig) == "closed"


def test_an_item_that_always_fails_does_not_keep_it_open(rig: Rig, downstream: Downstream) -> None:
    """Another tries the next time."""
    downstream.away = True
    batch_id = rig.submit("calls.out", items(10))
    settle_down(rig, batch_id)
    downstream.away = False
    downstream.never = 0
    for _ in range(60):  # of ten items one is it: that it is each time, is not to be expected
        rest_is_over(rig)
        rig.sweep()
        settle_down(rig, batch_id)
        if status(rig) == "closed":
            break
    assert status(rig) == "closed"
    downstream.never = None
    rig.run_out(batch_id)


def test_who_has_many_that_wait_does_not_try_for_all(rig: Rig, downstream: Downstream) -> None:
    """Of two clients either is asked, whichever has more batches that wait."""
    downstream.away = True
    first = rig.submit("calls.out", items(10))
    settle_down(rig, first)
    assert status(rig) == "open"
    many = {first} | {rig.submit("calls.out", items(1)) for _ in range(30)}
    other = Rig(rig.engine, rig.settings, rig.registry)
    lonely = other.submit("calls.out", items(1))
    for each, batch_id in [(rig, one) for one in many - {first}] + [(other, lonely)]:
        settle_down(each, batch_id)
    asked = []
    for _ in range(40):
        rest_is_over(rig)
        with rig.engine.begin() as connection:
            [woken] = connection.execute(WAKE_FOR_PROBES).all()
        rig.run("UPDATE batches SET turn_at = NULL")
        asked.append(woken.id)
    assert 5 < asked.count(lonely) < 35, "by chance, and one in two as a rule"
    assert len(set(asked) - {lonely}) > 5
