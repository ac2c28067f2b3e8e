"""A ramp and a breaker on one batch: each holds it by its own rule, and says which it is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from app.batches.breakers.changing import close_by_hand, open_by_hand
from app.batches.queries import find_batch
from app.db import transaction
from tests.engine.breaking import (
    Downstream,
    come_back,
    items,
    settle_down,
    status,
)
from tests.engine.ramping import ended_of, submit_ramped, until_held
from tests.engine.rig import Rig


def stands(rig: Rig, batch_id: UUID) -> tuple[str, str | None, str | None]:
    """The batch's status, what it waits for, and its stopReason."""
    with rig.engine.connect() as connection:
        batch = find_batch(connection, rig.client_id, batch_id)
    return batch.status, batch.waiting_for, batch.stop_reason


@pytest.mark.parametrize("operation", ["calls.out", "calls.in", "calls.many"])
def test_a_breaker_that_opens_within_a_step(
    rig: Rig, downstream: Downstream, operation: str
) -> None:
    """The step waits for it, and is exact all the same: what waits for a breaker is of the step."""
    downstream.away = True
    batch_id = submit_ramped(rig, items(30), 12, 6, operation=operation, hold="approve")
    settle_down(rig, batch_id)
    assert status(rig, operation) == "open"
    assert stands(rig, batch_id) == ("RUNNING", "breaker", None)
    assert ended_of(rig, batch_id) == []
    assert max(downstream.seen) < 12, "nothing behind the step was tried"
    assert {row.index for row in rig.items(batch_id) if row.attempts} <= set(range(12))
    come_back(rig, downstream)
    until_held(rig, batch_id)
    assert stands(rig, batch_id) == ("PAUSED", "ramp", None)
    assert ended_of(rig, batch_id) == list(range(12))
    assert max(downstream.seen) == 11
    rig.act(batch_id, "resume")
    until_held(rig, batch_id)
    assert ended_of(rig, batch_id) == list(range(18))
    rig.act(batch_id, "resume")
    rig.run_out(batch_id)
    assert stands(rig, batch_id) == ("SUCCESS", None, None)


@pytest.mark.parametrize("mixed", [False, True])
def test_a_step_that_ends_while_a_breaker_is_open(
    rig: Rig, downstream: Downstream, mixed: bool
) -> None:
    """It is held as ever, and says so; the breaker's turn comes when it is resumed."""
    operations = ["log.one" if mixed else "calls.out"] * 6 + ["calls.out"] * 14
    made: list[dict[str, Any]] = [
        {"operation": operation, "data": {"uid": uid}} for uid, operation in enumerate(operations)
    ]
    if mixed:
        with transaction(rig.engine) as connection:
            open_by_hand(connection, "calls.out", "")
    batch_id = submit_ramped(rig, made, 6, operation=None, hold="approve")
    if mixed:
        settle_down(rig, batch_id)
    else:
        until_held(rig, batch_id)
        # What it has tried went well; others' did not.
        with transaction(rig.engine) as connection:
            open_by_hand(connection, "calls.out", "")
    assert stands(rig, batch_id) == ("PAUSED", "ramp", None)
    assert ended_of(rig, batch_id) == list(range(6))
    rig.act(batch_id, "resume")
    settle_down(rig, batch_id)
    assert stands(rig, batch_id) == ("RUNNING", "breaker", None)
    assert ended_of(rig, batch_id) == list(range(6))
    with transaction(rig.engine) as connection:
        close_by_hand(connection, "calls.out", None)
    rig.run_out(batch_id)
    assert stands(rig, batch_id) == ("SUCCESS", None, None)


def test_what_a_breaker_keeps_of_a_step_is_none_that_failed(
    rig: Rig, downstream: Downstream
) -> None:
    """A step is looked at once all of it has ended, not before."""
    downstream.away = True
    batch_id = submit_ramped(rig, items(30), 10, operation="calls.out", hold="auto", percent=0)
    settle_down(rig, batch_id)
    assert stands(rig, batch_id) == ("RUNNING", "breaker", None)
    for _ in range(3):
        rig.time_passes()
        rig.sweep()
        settle_down(rig, batch_id)
    assert stands(rig, batch_id) == ("RUNNING", "breaker", None)
    come_back(rig, downstream)
    rig.run_out(batch_id)
    assert stands(rig, batch_id) == ("SUCCESS", None, None)
