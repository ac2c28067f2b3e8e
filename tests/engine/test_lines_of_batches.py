"""A worker's lines about a batch bear that batch's ids, whichever message brought it there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from structlog.contextvars import get_contextvars, merge_contextvars
from structlog.testing import capture_logs

from app.core import correlation
from tests.engine.rig import Rig
from workers.engine.plan.advance import advance
from workers.engine.run.turns import move_on


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    correlation.end()


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs(processors=[merge_contextvars]) as found:
        yield found


def submitted(rig: Rig, request_id: str, items: int = 1) -> UUID:
    """A batch that a request with this id submits."""
    assert correlation.begin_request(request_id) == request_id
    return rig.submit("log.one", [{"uid": uid} for uid in range(items)])


def settled(lines: list[Any]) -> dict[UUID, Any]:
    return {UUID(line["batch"]): line for line in lines if line["event"] == "batch.settled"}


def test_a_message_does_anothers_work_by_the_others_name(rig: Rig, lines: list[Any]) -> None:
    first, second = submitted(rig, "first"), submitted(rig, "second")
    correlation.begin_task("second", {"batch_id": str(second)})
    move_on(rig.runtime, second)
    found = settled(lines)
    assert {batch_id: line["requestId"] for batch_id, line in found.items()} == {
        first: "first",
        second: "second",
    }
    assert {line["clientId"] for line in found.values()} == {str(rig.client_id)}


def test_who_plans_for_another_does_so_by_the_others_name(rig: Rig) -> None:
    first, large = submitted(rig, "first"), submitted(rig, "large", items=12)
    correlation.begin_task("first", {"batch_id": str(first), "wave": 1, "number": 7})
    advance(rig.runtime, large)
    assert get_contextvars() == {
        "batch": str(large),
        "clientId": str(rig.client_id),
        "requestId": "large",
    }


def test_a_slices_lines_name_it(rig: Rig) -> None:
    large = submitted(rig, "large", items=12)
    rig.deliver(rig.messages.pop())
    slices = [one for one in rig.messages if one.number is not None]
    assert len(slices) == 2
    for message in slices:
        correlation.begin_task("another's", {})
        rig.deliver(message)
        assert get_contextvars() == {
            "batch": str(large),
            "clientId": str(rig.client_id),
            "requestId": "large",
            "wave": message.wave,
            "slice": message.number,
        }


def test_a_batch_without_a_request_has_none_of_anothers(rig: Rig, lines: list[Any]) -> None:
    batch_id = submitted(rig, "first")
    rig.run("UPDATE batches SET request_id = NULL WHERE id = :id", id=batch_id)
    correlation.begin_task("second", {})
    move_on(rig.runtime, batch_id)
    assert "requestId" not in settled(lines)[batch_id]
