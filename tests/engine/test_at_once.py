"""Everything at once: workers, sweeps and callers in threads, on the same few batches."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from app.batches.actions import ACTIONS
from app.batches.long_work import Pace
from app.core import lifecycle
from app.core.errors import WrongState
from tests.engine.rig import Message, Rig

SECONDS = 8.0
BEHAVIOUR = ("succeed",) * 8 + ("reject", "retry", "flaky", "broken")
ITEMS = 150  # a batch
PACE = Pace(items=40, seconds=0.0)  # so that long work is gone on with by whoever comes
FIRST_UID = 1000
TURNS = 20  # each job has more of them, however slow the machine
IN_DATABASE = ("log.one", "log.bulk", "log.crowded")
OPERATIONS = (*IN_DATABASE, "log.outside")


@pytest.mark.whole
def test_nothing_deadlocks_and_every_item_takes_effect_once_or_not_at_all(rig: Rig) -> None:
    rng = random.Random(1)
    rig.runtime.pace = PACE
    batches = [_submit(rig, rng, place) for place in range(6)]
    # However long this machine takes to give a thread its turn, it is not dead.
    before = _deadlocks(rig)
    errors: list[BaseException] = []
    done: Counter[str] = Counter()
    until = time.monotonic() + SECONDS
    jobs = [_deliver, _deliver, _deliver, _deliver, _sweep, _act, _look]
    threads = [
        threading.Thread(target=_repeat, args=(job, rig, batches, seed, until, errors, done))
        for seed, job in enumerate(jobs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert not errors, errors
    assert _deadlocks(rig) == before

    for batch_id in batches:
        batch = rig.batch(batch_id)
        if batch.status == lifecycle.PAUSED and not batch.stopping:
            rig.act(batch_id, "resume")
        elif batch.status == lifecycle.OPEN:
            rig.act(batch_id, "cancel")
    rig.run_out(*batches)
    for batch_id in batches:
        _adds_up(rig, batch_id)
    happened = sorted(uid for uids in rig.effects().values() for uid in uids)
    expected = sorted(uid for batch_id in batches for uid in _with_effect(rig, batch_id))
    assert happened == expected
    # Or nothing would have been shown: all of them had their turn, and much went well.
    assert len(expected) > ITEMS
    for job in (_deliver, _sweep, _look):
        assert done[job.__name__] > TURNS
    assert len([name for name in done if name.startswith("act ")]) >= 3, done


def _adds_up(rig: Rig, batch_id: UUID) -> None:
    """Every item has ended as it may, and the batch says what its items say."""
    batch, items = rig.batch(batch_id), rig.items(batch_id)
    assert [item.index for item in items] == list(range(ITEMS))
    counts = Counter(item.status for item in items)
    assert counts.keys() <= set(lifecycle.ITEM_ENDED)
    told = (batch.completed, batch.failed, batch.invalid, batch.canceled)
    assert told == tuple(counts[name] for name in ("SUCCESS", "FAILED", "INVALID", "CANCELED"))
    # What goes well cannot end otherwise, nor can what goes badly go well.
    for item in items:
        if item.input["do"] in ("reject", "broken"):
            assert item.status != "SUCCESS", item
        if item.status == "FAILED":
            assert item.input["do"] in ("reject", "broken", "flaky"), item


def _with_effect(rig: Rig, batch_id: UUID) -> list[int]:
    """The items of the batch that say they took effect where it can be seen, by their uids."""
    if rig.batch(batch_id).operation not in IN_DATABASE:
        return []
    return [item.input["uid"] for item in rig.items(batch_id) if item.status == "SUCCESS"]


def _submit(rig: Rig, rng: random.Random, place: int) -> UUID:
    items = [
        {
            "uid": FIRST_UID * place + n,
            "key": rng.choice((None, None, "a", "b")),
            "do": rng.choice(BEHAVIOUR),
        }
        for n in range(ITEMS)
    ]
    return rig.submit(OPERATIONS[place % 4], items, on_invalid=("partial", "reject")[place % 2])


_COUNTING = threading.Lock()


def _repeat(
    job: Callable[[Rig, list[UUID], random.Random], str | None],
    rig: Rig,
    batches: list[UUID],
    seed: int,
    until: float,
    errors: list[BaseException],
    done: Counter[str],
) -> None:
    rng = random.Random(seed)
    while not _over(until, done) and not errors:
        try:
            what = job(rig, batches, rng) or job.__name__
        except BaseException as error:
            errors.append(error)
        else:
            with _COUNTING:
                done[what] += 1


def _over(until: float, done: Counter[str]) -> bool:
    """Whether there was enough of it: on a slow machine a sweep may take a second."""
    now = time.monotonic()
    all_had_their_turn = all(done[job.__name__] > TURNS for job in (_deliver, _sweep, _look))
    return now >= until and (all_had_their_turn or now >= until + 40)


def _deliver(rig: Rig, batches: list[UUID], rng: random.Random) -> None:
    message = Message(rng.choice(batches))
    with contextlib.suppress(IndexError):
        message = rig.messages.pop(0)
    rig.deliver(message)


def _sweep(rig: Rig, batches: list[UUID], rng: random.Random) -> None:
    if rng.random() < 0.3:
        rig.time_passes()
    rig.sweep()
    time.sleep(0.05)


def _act(rig: Rig, batches: list[UUID], rng: random.Random) -> str:
    """Any move but reset, which would forget the items whose effects are counted."""
    time.sleep(rng.uniform(0, 0.1))
    action = rng.choice([*(action for action in ACTIONS if action != "reset"), "resume", "retry"])
    options: dict[str, Any] = {"statuses": ["FAILED", "CANCELED"]} if action == "retry" else {}
    try:
        rig.act(rng.choice(batches), action, pace=PACE, **options)
    except WrongState:
        return "refused"
    return f"act {action}"


def _look(rig: Rig, batches: list[UUID], rng: random.Random) -> None:
    """What is seen at any moment adds up."""
    batch_id = rng.choice(batches)
    row = rig.rows(
        """
        SELECT b.finished_at, b.total, b.doing,
               b.completed + b.failed + b.invalid + b.canceled AS counted,
               (SELECT count(*) FROM items i
                WHERE i.batch_id = b.id AND i.status <> 'PENDING') AS ended
        FROM batches b WHERE b.id = :id
        """,
        id=batch_id,
    )[0]
    if row.finished_at is not None and row.doing is None:
        assert row.counted == row.ended == row.total
    time.sleep(0.01)


def _deadlocks(rig: Rig) -> int:
    rig.run("SELECT pg_stat_clear_snapshot()")
    rows = rig.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(rows[0].deadlocks)
