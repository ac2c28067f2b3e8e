"""New connections go to the process that has fewer."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.api.two_processes.processes import held_by, only, processes
from tests.support.stack import Stack, wait_for

pytestmark = pytest.mark.usefixtures("own_processes")


def test_who_has_none_gets_the_next_ones(pair: Stack) -> None:
    address = urlsplit(pair.url)
    first, second = processes(pair)
    with ExitStack() as opened:

        def open_more(number: int, taken: Callable[[], int]) -> None:
            for _ in range(number):
                before = taken()
                opened.enter_context(
                    socket.create_connection((address.hostname, address.port), timeout=10)
                )
                wait_for(lambda before=before: taken() > before, within=10)  # type: ignore[misc]

        with only(pair, first):
            open_more(8, lambda: len(held_by(pair, first)))
        open_more(8, lambda: len(held_by(pair, first)) + len(held_by(pair, second)))
        assert len(held_by(pair, second)) >= 6
