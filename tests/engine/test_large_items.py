"""A slice never holds more of its items' input than fits: the rest of it comes later."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.batches.submission import Submission, accept
from app.formats.raw_item import RawItem
from tests.engine.rig import Message, Rig
from workers.engine.claim import load_items as loading

WIDE = 10_000


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch, rig: Rig) -> list[int]:
    """Room for three wide items; how many were loaded at a time."""
    monkeypatch.setattr(loading, "MOST_INPUT", 25_000)
    sizes: list[int] = []
    real = loading.load_slice

    def counted(*args: Any, **options: Any) -> Any:
        found = real(*args, **options)
        sizes.append(len(found[0]) + len(found[1]))
        return found

    monkeypatch.setattr("workers.engine.run.run_slice.load_slice", counted)
    return sizes


@pytest.mark.parametrize("operation", ["log.one", "log.bulk", "log.outside"])
@pytest.mark.parametrize("options", [{}, {"on_invalid": "reject"}, {"dry_run": True}])
def test_all_of_them_run_a_few_at_a_time(
    rig: Rig, narrow: list[int], operation: str, options: dict[str, Any]
) -> None:
    items = [{"uid": n, "key": f"k{n % 9}"} for n in range(14)]
    batch_id = rig.submit(operation, items, pad=WIDE, **options)
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 14
    assert max(narrow) == 3
    if operation != "log.outside" and "dry_run" not in options:
        effects = rig.effects()
        assert sorted(uid for uids in effects.values() for uid in uids) == list(range(14))
        assert all(uids == sorted(uids) for uids in effects.values()), "each key in order"


def test_one_that_is_too_wide_by_itself_runs_alone(rig: Rig, narrow: list[int]) -> None:
    batch_id = rig.submit("log.bulk", [{"uid": n} for n in range(3)], pad=WIDE * 5)
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 3
    assert max(narrow) == 1
    assert [item.attempts for item in rig.items(batch_id)] == [1, 1, 1]


def test_what_is_left_of_a_mixed_batch_is_due_again(rig: Rig, narrow: list[int]) -> None:
    """Its slices have picks in the first pass, of items without a moment of their own."""
    items = [RawItem(json.dumps({"uid": n}) + " " * WIDE, "log.one") for n in range(5)]
    batch_id = accept(rig.engine, rig.registry, Submission(rig.client_id), items).batch_id
    rig.deliver(Message(batch_id))
    rig.deliver(rig.messages.pop(0))
    assert rig.statuses(batch_id) == ["SUCCESS"] * 3 + ["PENDING"] * 2
    assert all(item.due_at is not None for item in rig.items(batch_id)[3:])
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 5
