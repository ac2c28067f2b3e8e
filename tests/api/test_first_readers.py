"""The OpenAPI document is made when it is first asked for, however many ask at that moment."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.core.settings import Settings
from tests.support.application import application

_READERS = 8


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_all_first_readers_are_answered_alike(settings: Settings) -> None:
    paths = ("/openapi.json", "/openapi.json?only=native") * (_READERS // 2)
    together = threading.Barrier(_READERS)
    with application(settings) as app, ThreadPoolExecutor(_READERS) as pool:

        def read(path: str) -> tuple[int, bytes]:
            together.wait(20)
            answer = app.test_client().get(path)
            return answer.status_code, answer.data

        answers = list(pool.map(read, paths))
    assert {status for status, _ in answers} == {200}
    assert len({body for _, body in answers}) == 2
