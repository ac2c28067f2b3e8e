"""Handing work to the broker: whoever submits does not wait for one that does not react."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from app.core.settings import load_settings
from app.local.servers import Server, start_valkey
from app.messaging import dispatch
from app.messaging.dispatch import Dispatcher
from tests.chaos.machine import below


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    with start_valkey(tmp_path) as server:
        yield server


@contextmanager
def _frozen(server: Server) -> Iterator[None]:
    pids = below(server.guarded.process.pid)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _timed(dispatcher: Dispatcher) -> tuple[bool, float]:
    began = time.monotonic()
    return dispatcher.advance(uuid4()), time.monotonic() - began


def test_a_broker_that_hangs_is_given_up_soon_and_then_left_alone(
    valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatcher = Dispatcher(load_settings({"REDIS_URL": valkey.url}))
    assert dispatcher.advance(uuid4())
    with _frozen(valkey):
        sent, seconds = _timed(dispatcher)
        assert not sent
        assert seconds < 4
        sent, seconds = _timed(dispatcher)
        assert not sent
        assert seconds < 0.1
    monkeypatch.setattr(dispatch, "_LEAVE_ALONE", 0.0)
    dispatcher = Dispatcher(load_settings({"REDIS_URL": valkey.url}))
    with _frozen(valkey):
        assert not dispatcher.advance(uuid4())
    assert dispatcher.advance(uuid4())


def test_a_connection_that_was_closed_meanwhile_is_not_a_broker_that_is_away(
    valkey: Server,
) -> None:
    dispatcher = Dispatcher(load_settings({"REDIS_URL": valkey.url}))
    assert dispatcher.advance(uuid4())
    valkey.stop()
    valkey.revive()
    assert dispatcher.advance(uuid4())
