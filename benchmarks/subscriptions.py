"""Celery's results, whose senders stay subscribed to them."""

from __future__ import annotations

from typing import Any

from celery import Celery


def forget_results(app: Celery) -> None:
    """Drop Celery's note of the results that this thread is subscribed to.

    It would unsubscribe when they are collected: from the last ones at the end of the process, when
    Redis is gone, and with a traceback for each.
    """
    backend: Any = app.backend
    backend.result_consumer.subscribed_to.clear()
