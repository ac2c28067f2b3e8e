"""What the server refuses by itself is told, but not as often as it is done."""

from __future__ import annotations

import re
import time

import pytest

from app.server.refused import Refused
from tests.server.talking import Talk
from tests.support.stack import Stack, wait_for

_MANY = 30


def told(web: Stack, field: str) -> list[str]:
    lines = [
        line
        for line in web.tail(500).splitlines()
        if "connection.refused" in line and "malformed" in line
    ]
    return [found[1] for line in lines if (found := re.search(rf"{field}\W+([\w.:]+)", line))]


def counted(web: Stack) -> float:
    with Talk(web) as talk:
        page = talk.send("GET /metrics HTTP/1.1", "Host: here").answer().body.decode()
    found = re.search(r'^batchline_refusals_total\{kind="malformed"\} (\S+)', page, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.slow
def test_a_line_a_second_and_a_count_of_all(web: Stack) -> None:
    before, lines, began = counted(web), len(told(web, "number")), time.monotonic()
    for _ in range(_MANY):
        with Talk(web) as talk:
            assert talk.send("GET / HTTP/1.1", "no colon").answer().status == 400

    def all_told() -> bool:
        return sum(map(int, told(web, "number")[lines:])) == _MANY

    wait_for(all_told, within=10)
    assert len(told(web, "number")) - lines <= time.monotonic() - began + 1
    assert set(told(web, "address")) == {"127.0.0.1"}
    wait_for(lambda: counted(web) - before >= _MANY, within=10)


def test_of_nothing_nothing_is_said() -> None:
    asked: list[object] = []
    refused = Refused(asked.append)
    refused.tell()
    assert not asked
    refused.note("busy", ("::1", 5, 0, 0))
    refused.note("busy", "")
    refused.tell()
    refused.tell()
    assert len(asked) == 1
