"""Everything at once: workers, sweeps and callers in threads, on the same few batches."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from uuid import UUID

from app.batches.actions import ACTIONS
from app.core import lifecycle
from app.core.errors import WrongState
from tests.engine.rig import Message, Rig

SECONDS = 8.0
BEHAVIOUR = ("succeed",) * 8 + ("reject", "retry", "flaky", "broken")
OPERATIONS = ("log.one", "log.bulk", "log.crowded", "log.outside")


def test_nothing_deadlocks_and_nothing_is_lost(rig: Rig) -> None:
    rng = random.Random(1)
    batches = [_submit(rig, rng, place) for place in range(6)]
    # However long this machine takes to give a thread its turn, it is not dead.
    before = _deadlocks(rig)
    errors: list[BaseException] = []
    until = time.monotonic() + SECONDS
    jobs = [_deliver, _deliver, _deliver, _deliver, _sweep, _act, _look]
    threads = [
        threading.Thread(target=_repeat, args=(job, rig, batches, seed, until, errors))
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
        status = rig.batch(batch_id).status
        if status == lifecycle.PAUSED and not rig.batch(batch_id).stopping:
            rig.act(batch_id, "resume")
        elif status == lifecycle.OPEN:
            rig.act(batch_id, "cancel")
    rig.run_out(*batches)
    ended = {status for batch_id in batches for status in rig.statuses(batch_id)}
    assert ended <= set(lifecycle.ITEM_ENDED)
    for uids in rig.effects().values():
        assert len(uids) == len(set(uids))


def _submit(rig: Rig, rng: random.Random, place: int) -> UUID:
    items = [
        {
            "uid": 1000 * place + n,
            "key": rng.choice((None, None, "a", "b")),
            "do": rng.choice(BEHAVIOUR),
        }
        for n in range(150)
    ]
    return rig.submit(OPERATIONS[place % 4], items, on_invalid=("partial", "reject")[place % 2])


def _repeat(
    job: Callable[[Rig, list[UUID], random.Random], None],
    rig: Rig,
    batches: list[UUID],
    seed: int,
    until: float,
    errors: list[BaseException],
) -> None:
    rng = random.Random(seed)
    while time.monotonic() < until and not errors:
        try:
            job(rig, batches, rng)
        except BaseException as error:
            errors.append(error)


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


def _act(rig: Rig, batches: list[UUID], rng: random.Random) -> None:
    time.sleep(rng.uniform(0, 0.1))
    action = rng.choice([*ACTIONS, "resume", "resume", "retry"])
    if action == "reset":
        return
    options = {"statuses": ["FAILED", "CANCELED"]} if action == "retry" else {}
    with contextlib.suppress(WrongState):
        rig.act(rng.choice(batches), action, **options)


def _look(rig: Rig, batches: list[UUID], rng: random.Random) -> None:
    """What is seen at any moment adds up."""
    batch_id = rng.choice(batches)
    row = rig.rows(
        """
        SELECT b.finished_at, b.total,
               b.completed + b.failed + b.invalid + b.canceled AS counted,
               (SELECT count(*) FROM items i
                WHERE i.batch_id = b.id AND i.status <> 'PENDING') AS ended
        FROM batches b WHERE b.id = :id
        """,
        id=batch_id,
    )[0]
    if row.finished_at is not None:
        assert row.counted == row.ended == row.total
    time.sleep(0.01)


def _deadlocks(rig: Rig) -> int:
    rig.run("SELECT pg_stat_clear_snapshot()")
    rows = rig.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(rows[0].deadlocks)
