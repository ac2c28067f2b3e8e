"""Batches that are followed by threads of their own, and what becomes of those."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from batchline.client.api import Api
from batchline.client.poller import BatchPoller

RUNNING: dict[str, Any] = {"id": "b-1", "status": "RUNNING", "finishedAt": None}
# Nobody listens there, so that the stream is asked for again and again.
NOWHERE = "http://127.0.0.1:1"
SECONDS = 20.0


@pytest.mark.parametrize("looked_at", [False, True])
def test_who_stops_looking_is_shown_no_traceback_of_a_closed_client(
    monkeypatch: pytest.MonkeyPatch, looked_at: bool
) -> None:
    raised: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    before = set(threading.enumerate())
    poller = BatchPoller(Api(NOWHERE), [RUNNING])
    with poller._api:  # as Ctrl-C leaves it: the poller first, then the client
        poller.__enter__()
        [follower] = set(threading.enumerate()) - before
        if not looked_at:
            poller.__exit__()
    follower.join(SECONDS)
    assert not follower.is_alive()
    # What goes wrong while somebody does look is never passed over.
    assert [one.exc_type for one in raised] == ([RuntimeError] if looked_at else [])
