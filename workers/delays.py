"""Delayed messages: the delay is a length of time, counted by the worker that receives them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from celery.worker.request import Request as CeleryRequest

from app.messaging.broker import DELAY_HEADER


class Request(CeleryRequest):
    """A task message that a worker has received; see `app.messaging.broker` for the header."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        delay = self.request_dict.get(DELAY_HEADER)
        if isinstance(delay, (int, float)) and delay > 0:
            self._eta = datetime.now(UTC) + timedelta(seconds=delay)
