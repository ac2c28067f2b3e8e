"""Puts a task's ids on its log lines, and the id of the request that led to it."""

from __future__ import annotations

from typing import Any

from celery import signals

from app.core import correlation


@signals.task_prerun.connect
def _begin(task: Any = None, kwargs: Any = None, **_: Any) -> None:
    correlation.begin_task(task.request.get(correlation.TASK_HEADER), kwargs or {})


@signals.task_postrun.connect
def _end(**_: Any) -> None:
    correlation.end()
