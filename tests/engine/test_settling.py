"""A batch ends with its own counts, which are its items'; only where they differ is it counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from tests.engine.rig import Rig


@contextmanager
def _statements(rig: Rig) -> Iterator[list[str]]:
    seen: list[str] = []

    def look(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(" ".join(statement.split()))

    event.listen(rig.engine, "before_cursor_execute", look)
    try:
        yield seen
    finally:
        event.remove(rig.engine, "before_cursor_execute", look)


def _counts(rig: Rig, seen: list[str]) -> int:
    return len([one for one in seen if one.startswith("SELECT count(*) AS total")])


def test_counts_that_add_up_are_trusted(rig: Rig) -> None:
    items = [{"uid": n, "do": ("succeed", "reject", "flaky", "retry")[n % 4]} for n in range(24)]
    items += [{"uid": "none"}]
    batch_id = rig.submit("log.one", items)
    with _statements(rig) as seen:
        rig.deliver(rig.messages.pop(0))
        doomed = rig.worker()
        assert rig.claim(rig.messages[0], doomed)
        doomed.heartbeat.die()  # type: ignore[attr-defined]
        assert rig.sweep()["claims_taken_over"] >= 1
        rig.run_out(batch_id)
        assert rig.batch(batch_id).failed
        rig.act(batch_id, "retry")
        rig.deliver(rig.messages.pop(0))
        rig.act(batch_id, "cancel")
        rig.run_out(batch_id)
        rig.act(batch_id, "retry", statuses=["CANCELED", "INVALID"])
        rig.run_out(batch_id)
    assert _counts(rig, seen) == 0
    _same(rig, batch_id)


def test_counts_that_do_not_add_up_are_counted_anew(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(7)])
    rig.deliver(rig.messages.pop(0))
    rig.run("UPDATE batches SET failed = 1 WHERE id = :id", id=batch_id)
    with _statements(rig) as seen:
        rig.run_out(batch_id)
    assert _counts(rig, seen) == 1
    _same(rig, batch_id)


def _same(rig: Rig, batch_id: Any) -> None:
    batch, statuses = rig.batch(batch_id), rig.statuses(batch_id)
    told = (batch.completed, batch.failed, batch.invalid, batch.canceled)
    names = ("SUCCESS", "FAILED", "INVALID", "CANCELED")
    assert told == tuple(statuses.count(name) for name in names)
    assert sum(told) == batch.total == len(statuses)
