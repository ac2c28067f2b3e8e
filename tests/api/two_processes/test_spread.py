"""New connections go to the process that has fewer."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from app.core.settings import Settings
from tests.api.two_processes.processes import answers, held_by, only, processes
from tests.support.stack import Stack, running_stack, wait_for

pytestmark = pytest.mark.usefixtures("own_processes", "engine")
EACH = 8


@pytest.fixture
def patient_pair(own_settings: Settings) -> Iterator[Stack]:
    """Two web processes, of which one waits for the other for long."""
    with running_stack(
        own_settings,
        handlers="tests.support.patient",
        processes=(),
        extra={"WEB_WORKERS": "2"},
    ) as stack:
        stack.start("web")
        wait_for(lambda: len(processes(stack)) == 2 and answers(stack), what=stack.tail)
        yield stack


def test_who_has_none_gets_the_next_ones(patient_pair: Stack) -> None:
    pair, address = patient_pair, urlsplit(patient_pair.url)
    first, second = processes(pair)
    with ExitStack() as opened:

        def open_more(number: int, taken: Callable[[], int]) -> None:
            for _ in range(number):
                before = taken()
                opened.enter_context(
                    socket.create_connection((address.hostname, address.port), timeout=10)
                )
                wait_for(lambda before=before: taken() > before, within=30)  # type: ignore[misc]

        with only(pair, first):
            open_more(EACH, lambda: len(held_by(pair, first)))
        open_more(EACH, lambda: len(held_by(pair, first)) + len(held_by(pair, second)))
        assert (len(held_by(pair, first)), len(held_by(pair, second))) == (EACH, EACH)
