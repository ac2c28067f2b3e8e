"""A handler's exceptions are logged with their traceback: one of a kind in a minute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from handlers import Defer, Reject, Retry
from tests.engine.rig import Rig
from workers.engine.outcome.classify import CannotBeStored
from workers.engine.process.time_limit import HandlerRaised
from workers.engine.run import execute
from workers.engine.run.handler_log import HandlerLog

BATCH = uuid4()


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as found:
        yield found


def raised(error: BaseException) -> Any:
    """The error, as it is after it was raised here."""
    try:
        raise error
    except BaseException as caught:
        return caught


def test_one_of_a_kind_is_shown_and_the_next_says_how_many_were_not(lines: list[Any]) -> None:
    seconds = [100.0]
    log = HandlerLog(lambda: seconds[0])
    for index in range(1000):
        log.failed("shop.price", BATCH, index, raised(ValueError(f"number {index}")))
    assert len(lines) == 1
    assert lines[0] == {
        "event": "handler.failed",
        "log_level": "warning",
        "operation": "shop.price",
        "batch": str(BATCH),
        "item": 0,
        "error": "ValueError",
        "not_shown": 0,
        "exception": lines[0]["exception"],
    }
    assert lines[0]["exception"].startswith("Traceback (most recent call last):")
    assert __file__ in lines[0]["exception"]
    seconds[0] += 61
    log.failed("shop.price", BATCH, 1000, raised(ValueError("later")))
    assert lines[1]["not_shown"] == 999


def test_kinds_are_operation_type_and_line(lines: list[Any]) -> None:
    log = HandlerLog()
    for _ in range(2):
        log.failed("one", BATCH, 0, raised(ValueError()))
        log.failed("other", BATCH, 0, raised(ValueError()))
        log.failed("one", BATCH, 0, raised(KeyError()))
        log.failed("one", BATCH, 0, HandlerRaised(raised(SystemExit(3))))
        try:
            raise ValueError
        except ValueError as error:
            log.failed("one", BATCH, 0, error)
    assert [line["error"] for line in lines] == [
        "ValueError",
        "ValueError",
        "KeyError",
        "SystemExit",
        "ValueError",
    ]


def test_what_a_handler_says_itself_is_not_shown(lines: list[Any]) -> None:
    log = HandlerLog()
    for problem in (Reject("no"), Retry("later"), Defer("wait")):
        log.failed("one", BATCH, 0, raised(problem))
    assert lines == []
    log.failed("one", BATCH, 0, raised(CannotBeStored("no JSON")))
    assert len(lines) == 1


def test_what_it_remembers_is_bounded(lines: list[Any]) -> None:
    log = HandlerLog()
    for number in range(5000):
        log.failed(f"operation {number}", BATCH, 0, raised(ValueError()))
    assert len(log._kinds) <= 1000
    assert len(lines) == 5000


def test_a_slice_s_failures_are_logged_with_batch_and_item(
    rig: Rig, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "handler_log", HandlerLog())
    batch_id = rig.submit("log.one", [{"uid": n, "do": "broken"} for n in range(4)])
    rig.run_out(batch_id)
    [shown] = [line for line in lines if line["event"] == "handler.failed"]
    assert (shown["operation"], shown["batch"]) == ("log.one", str(batch_id))
    assert shown["exception"].endswith("RuntimeError")
    assert shown["error"] == "RuntimeError", "its words stand with the item"
