"""Loaded into workers by `celery worker -I tests.chaos.sabotage`: they fail when a test says so.

Each function that is replaced here is the one at which Celery 5.7 or kombu 5.7 is, at the moment
that is meant. It is loaded before the pool forks, so that the children have it too.
"""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import redis
from celery import current_app, signals
from celery.backends.redis import RedisBackend
from celery.worker.request import Request
from kombu.transport.redis import QoS

from tests.chaos.arming import Arms, Moment
from workers.engine.plan.chords import RUN_SLICE, SETTLE

_MIDWAY = 3
_arms = Arms(Path(os.environ["SABOTAGE"]))
_main = os.getpid()
_published: dict[str, int] = {}


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_with_the_worker() -> None:
    """kill -9 of the main process and all of its children, wherever this is."""
    children = Path(f"/proc/{_main}/task/{_main}/children").read_text().split()
    others = [_main, *map(int, children)]
    for pid in others:
        if pid != os.getpid():
            os.kill(pid, signal.SIGKILL)
    _die()


# --- A part is returned: in the child, after the task, before its message is acknowledged.

# What is replaced here has no public types.
_Backend: Any = RedisBackend
_Request: Any = Request
_QoS: Any = QoS
_return_part = _Backend.on_chord_part_return
_lease = _Backend._chord_publish_claim_expires
_set_size = RedisBackend.set_chord_size
_call_errbacks = RedisBackend.chord_error_from_stack


def _returning_part(self: Any, request: Any, state: str, result: Any, **options: Any) -> Any:
    """The task's end is known, and its result would be stored by now."""
    batch = (request.kwargs or {}).get("batch_id")
    if _arms.strikes(Moment.CHILD_DIES_BEFORE_COUNTING, batch):
        _die()
    if _arms.strikes(Moment.WORKER_DIES_BEFORE_COUNTING, batch):
        _die_with_the_worker()
    script = self._chord_part_return_script
    self._chord_part_return_script = partial(_counting, script, request)
    try:
        answer = _return_part(self, request, state, result, **options)
    finally:
        self._chord_part_return_script = script
    _part_returned(self, request, batch)
    _arms.note("part", batch, task=request.id, redelivered=_redelivered(request), state=state)
    return answer


def _counting(script: Any, request: Any, **options: Any) -> Any:
    """The script that counts a part, and gives the callback to whoever brings the last one."""
    arguments = request.kwargs or {}
    batch, wave = arguments.get("batch_id"), arguments.get("wave")
    if _arms.strikes(Moment.COUNTING_FAILS, batch, wave=wave):
        raise redis.ConnectionError("the server is not there")
    answer = script(**options)
    claimed = answer[3]
    if claimed and _arms.strikes(Moment.LAST_ANSWER_LOST, batch, wave=wave):
        raise redis.ConnectionError("the answer was lost")
    return answer


def _part_returned(backend: RedisBackend, request: Any, batch: str | None) -> None:
    keys = [backend.get_key_for_group(request.group, end) for end in (".j", ".t", ".s", ".d", ".c")]
    size, counted = backend.client.get(keys[2]), backend.client.zcard(keys[0])
    if size and _MIDWAY <= counted < int(size):
        if _arms.strikes(Moment.FLUSHED_MIDWAY, batch, of=int(size)):
            # All that these workers have is in this one database of the server.
            backend.client.flushdb()
        if _arms.strikes(Moment.KEYS_EXPIRE_MIDWAY, batch, wave=request.kwargs["wave"]):
            backend.client.delete(*keys)
    if not _redelivered(request) and _arms.strikes(Moment.GIVEN_OUT_AGAIN, batch):
        # As when the visibility timeout is over. It will say that it is a repetition.
        with current_app.connection_for_write() as connection:
            channel: Any = connection.default_channel
            channel.qos.restore_by_tag(request.properties["delivery_tag"])


def _redelivered(request: Any) -> bool:
    return bool((request.delivery_info or {}).get("redelivered"))


def _taking_lease(self: RedisBackend, initial_expires: int, callback: Any) -> Any:
    """Asked for between the claim of the callback and the extension of that claim's lease."""
    of = callback.kwargs
    if _arms.strikes(Moment.CLAIMER_DIES, of["batch_id"], wave=of["wave"]):
        _die()
    return _lease(self, initial_expires, callback)


def _calling_errbacks(self: RedisBackend, callback: Any, exc: Any = None) -> Any:
    """What Celery does instead of publishing the callback."""
    _arms.note("errback", callback.kwargs["batch_id"], error=repr(exc))
    return _call_errbacks(self, callback, exc)


# --- A wave is published: in the child that runs `advance`.


def _setting_size(self: RedisBackend, group_id: str, chord_size: int) -> Any:
    """Called when all but the last of the header's messages have been sent."""
    answer = _set_size(self, group_id, chord_size)
    for batch, published in _published.items():
        if _arms.strikes(Moment.PRODUCER_DIES_AT_LAST, batch, published=published, size=chord_size):
            _die_with_the_worker()
    return answer


@signals.before_task_publish.connect(weak=False)
def _publishing(sender: str | None = None, body: Any = None, headers: Any = None, **_: Any) -> None:
    """Called right before a message is handed to kombu."""
    batch, wave = body[1].get("batch_id"), body[1].get("wave")
    if sender == RUN_SLICE:
        before = _published.setdefault(batch, 0)
        if _arms.strikes(Moment.PRODUCER_DIES_MIDWAY, batch, published=before):
            _die_with_the_worker()
        _published[batch] += 1
    if sender == SETTLE and _arms.strikes(Moment.PUBLISHER_DIES, batch, wave=wave):
        _die()
    if sender in (RUN_SLICE, SETTLE):
        ignored = headers["ignore_result"]
        _arms.note("sent", batch, task=sender, id=headers["id"], wave=wave, ignore_result=ignored)


# --- A message is received: in the worker's main process.

_append = QoS.append
_accepted = _Request.on_accepted


def _appending(self: QoS, message: Any, delivery_tag: str) -> Any:
    """The message was popped from its list (BRPOP), and is to be noted as not acknowledged."""
    if message.headers.get("task") == RUN_SLICE:
        batch = message.payload[1]["batch_id"]
        if _arms.strikes(Moment.TAKEN_AND_DIES, batch):
            _die_with_the_worker()
    return _append(self, message, delivery_tag)


def _beginning(self: Any, pid: int, time_accepted: float) -> Any:
    """A child has begun with the task: when Celery acknowledges unless it is told to do so late."""
    if self.type == RUN_SLICE and _arms.strikes(
        Moment.EARLY_ACK, self.kwargs["batch_id"], number=self.kwargs["number"], main=_main
    ):
        self.acknowledge()
    return _accepted(self, pid, time_accepted)


_Backend.on_chord_part_return = _returning_part
_Backend._chord_publish_claim_expires = _taking_lease
_Backend.chord_error_from_stack = _calling_errbacks
_Backend.set_chord_size = _setting_size
_QoS.append = _appending
_Request.on_accepted = _beginning
