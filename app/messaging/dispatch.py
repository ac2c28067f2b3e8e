"""Sends work to the workers: by task name and batch id alone, and only after the commit.

A message that cannot be sent is not an error here. What was accepted is in Postgres, and the
sweep sends it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import structlog
from celery import Celery

from app.core.settings import Settings
from app.messaging.broker import (
    ADVANCE_TASK,
    EXPRESS_QUEUE,
    FAST_QUEUE,
    configure,
    turn_queue,
)
from app.messaging.bursts import Bursts

log = structlog.get_logger(__name__)


# Seconds for which nothing is sent to a broker that did not take a message: every request that
# submits would wait for it, and the sweep finds what was not sent within three seconds.
_LEAVE_ALONE = 5.0
# A failure within so many seconds means that the connection was stale, not that the broker is away.
_AT_ONCE = 0.5


class Dispatcher:
    """Sends tasks to the broker. One a process; safe to share between threads.

    `clock`: a monotonic one, in seconds.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.celery = Celery("batchline-sender", set_as_current=False)
        configure(self.celery, settings, impatient=True)
        self._leave_alone_until = 0.0
        self._bursts = Bursts(settings.explicit_broker_url or settings.redis_url or "", clock)

    def in_line(self, batch_id: UUID, line: str) -> bool:
        """As `advance`, of a batch that has just been committed to the line.

        Where enough messages wait that say just this, none is sent.
        """
        queue = turn_queue(line)
        if (
            queue == EXPRESS_QUEUE
            and self._clock() >= self._leave_alone_until
            and self._bursts.enough_wait(queue)
        ):
            return True
        return self.advance(batch_id, line)

    def advance(self, batch_id: UUID, line: str = FAST_QUEUE) -> bool:
        """Ask a worker to move the batch on. False, logged, where the broker is away.

        `line`: "fast" or "slow", the workers that its operation needs.
        """
        return self._send(ADVANCE_TASK, turn_queue(line), batch_id=str(batch_id))

    def _send(self, name: str, queue: str, **arguments: Any) -> bool:
        if self._clock() < self._leave_alone_until:
            log.debug("dispatch.left_to_the_sweep", task=name, **arguments)
            return False
        for again in (True, False):
            began = self._clock()
            try:
                self.celery.send_task(
                    name, kwargs=arguments, queue=queue, ignore_result=True, retry=False
                )
            except Exception as error:  # kombu raises its transports' own errors, whatever they are
                now = self._clock()
                if again and now - began < _AT_ONCE:
                    continue
                self._leave_alone_until = now + _LEAVE_ALONE
                log.warning("dispatch.failed", task=name, error=str(error), **arguments)
                return False
            break
        return True
