"""Workers come and go by the metric that the chart's autoscalers read; nothing is lost by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from tests.chaos.autoscaling import Autoscaler, Reading, wanted
from tests.support.stack import Stack, running_stack, wait_for

pytestmark = pytest.mark.long

MOST = 4
# At 0.3 s each, which is far beyond what a busy machine needs; none is waited for in vain.
STEPS = 400


@pytest.fixture(scope="module")
def scaled(own_settings: Settings, own_engine: Engine) -> Iterator[Stack]:
    """A stack whose workers have two slots each, and the time to end what they do."""
    extra = {"WORKER_CONCURRENCY": "2", "WORKER_STOP_SECONDS": "20"}
    with running_stack(own_settings, handlers="tests.support.handlers", extra=extra) as stack:
        yield stack


@pytest.mark.timeout(300)
def test_from_one_worker_to_four_to_none_to_one(
    scaled: Stack, own_engine: Engine, own_client: ClientSecret
) -> None:
    batches: list[str] = []
    with scaled.http(own_client) as http:

        def submit(items: list[dict[str, Any]]) -> str:
            body = {"operation": "test.probe", "items": items}
            answer = http.post("/v1/batches", json=body).raise_for_status()
            batches.append(answer.json()["id"])
            return batches[-1]

        def four_are_reached(reading: Reading) -> bool:
            """Until then more batches wait than four workers have slices at a time."""
            for number in range(len(batches), len(batches) + 4 * MOST - int(reading.unfinished)):
                items = 20 if number % 4 else 100
                submit([{"key": f"{number}-{n}", "seconds": 0.05} for n in range(items)])
            return len(scaler.workers) == MOST

        def one_is_left(reading: Reading) -> bool:
            """Until then there is always something to do, one item at a time: for one worker."""
            if not reading.unfinished:
                submit([{"key": f"lane-{len(batches)}", "seconds": 0.25} for _ in range(20)])
            return len(scaler.workers) == 1

        scaler = Autoscaler(scaled, MOST)
        scaler.take(scaled.processes["worker"])
        scaler.run_until(four_are_reached, steps=STEPS)
        scaler.run_until(one_is_left, steps=STEPS)
        scaler.run_until(lambda _: not scaler.workers, steps=STEPS)
        wait_for(lambda: not any(one.running for one in scaler.stopped), what=scaled.tail)

        last = submit([{"key": f"last-{n}"} for n in range(50)])
        scaler.run_until(lambda _: len(scaler.workers) == 1, steps=STEPS)
        assert scaled.finished(http, last)["status"] == "SUCCESS"
        assert {scaled.finished(http, one)["status"] for one in batches} == {"SUCCESS"}

    assert scaler.sizes[0] == 1
    assert scaler.sizes[scaler.sizes.index(MOST) :].count(0) == 1
    assert scaler.sizes[-2:] == [0, 1]
    assert scaler.stopped_amid_work, scaler.sizes
    _each_item_once(own_engine, batches)


def _each_item_once(engine: Engine, batches: list[str]) -> None:
    with engine.connect() as connection:
        tried = connection.execute(
            text(
                """SELECT DISTINCT status, attempts, crashes FROM items
                   WHERE batch_id = ANY(CAST(:ids AS uuid[]))"""
            ),
            {"ids": batches},
        ).all()
        # The handler adds each item that takes effect to its key's record.
        wrong = connection.execute(
            text(
                """
                SELECT i.batch_id, i.input->>'key', count(*), r.version FROM items i
                LEFT JOIN records r ON r.collection = 'probe' AND r.key = i.input->>'key'
                WHERE i.batch_id = ANY(CAST(:ids AS uuid[]))
                GROUP BY i.batch_id, i.input->>'key', r.version
                HAVING count(*) IS DISTINCT FROM r.version
                """
            ),
            {"ids": batches},
        ).all()
        left = connection.execute(text("SELECT count(*) FROM slices")).scalar_one()
    assert [tuple(row) for row in tried] == [("SUCCESS", 1, 0)]
    assert wrong == []
    assert left == 0


@pytest.mark.parametrize(
    ("now", "slices", "slots", "in_line", "unfinished", "number"),
    [
        # Many small batches have no slices that anybody sees, and are in line.
        (1, 0, 2, 9, 9, 2),
        (2, 0, 4, 9, 9, 3),
        # A large one has two for each slot.
        (1, 4, 2, 1, 1, 4),
        (4, 16, 8, 1, 1, 4),
        (3, 5, 6, 0, 2, 3),
        (4, 1, 8, 0, 1, 1),
        (4, 0, 8, 0, 1, 1),
        (4, 0, 8, 0, 0, 0),
        (0, 0, 0, 0, 0, 0),
        # Of what was begun nothing is due yet.
        (0, 0, 0, 0, 1, 1),
        (0, 2, 0, 1, 1, 1),
    ],
)
def test_so_many_are_wanted(
    now: int, slices: float, slots: float, in_line: float, unfinished: float, number: int
) -> None:
    assert wanted(now, Reading(slices, slots, in_line, unfinished), most=MOST) == number
