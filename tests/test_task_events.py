"""Workers tell Flower of their tasks, many at once."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from typing import Any
from uuid import uuid4

from redis import Redis
from redis.client import PubSub

from app.messaging.dispatch import Dispatcher
from tests.support.application import close_dispatcher
from tests.support.stack import Stack, wait_for
from workers.events import _FLUSH_EVERY

TASKS = 60


def test_events_come_many_at_once(stack: Stack) -> None:
    dispatcher = Dispatcher(stack.settings)
    ids = [uuid4() for _ in range(TASKS)]
    with Redis.from_url(stack.settings.redis_url or "") as redis, redis.pubsub() as told:
        # As Flower does, which may come and go.
        wait_for(lambda: _telling(dispatcher) == 2)
        told.psubscribe("*celeryev*")
        received: list[list[dict[str, Any]]] = []

        def of_ours(event: dict[str, Any]) -> bool:
            return event["uuid"] in ours

        ours: set[str] = set()
        began = time.monotonic()
        for batch_id in ids:  # of no batch, so that the task is over at once
            assert dispatcher.advance(batch_id)

        def all_told() -> bool:
            received.extend(_messages(told))
            for message in received:
                for event in message:
                    if any(str(each) in event.get("kwargs", "") for each in ids):
                        ours.add(event["uuid"])
            states = Counter(e["type"] for m in received for e in m if of_ours(e))
            return states["task-succeeded"] == TASKS

        wait_for(all_told, within=30, what=stack.tail)
        seconds = time.monotonic() - began
    close_dispatcher(dispatcher)
    told_of = [event["type"] for message in received for event in message if of_ours(event)]
    assert Counter(told_of) == dict.fromkeys(
        ("task-received", "task-started", "task-succeeded"), TASKS
    )
    carrying = [message for message in received if any(map(of_ours, message))]
    # Two workers take these tasks.
    assert len(carrying) <= 2 * (seconds / _FLUSH_EVERY + 1)


def _telling(dispatcher: Dispatcher) -> int:
    """How many workers say that they tell of their tasks from now on."""
    return len(dispatcher.celery.control.enable_events(reply=True, timeout=1.0, limit=2) or ())


def _messages(told: PubSub) -> list[list[dict[str, Any]]]:
    """The events of tasks in each message that has come."""
    found = []
    while (message := told.get_message(timeout=0.05)) is not None:
        if message["type"] != "pmessage":
            continue
        body = json.loads(_decoded(json.loads(message["data"])))
        if isinstance(body, list):
            found.append([event for event in body if event["type"].startswith("task-")])
    return found


def _decoded(envelope: dict[str, Any]) -> bytes:
    return base64.b64decode(envelope["body"])
