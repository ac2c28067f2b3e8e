"""Batches and items in the native field names, as callers and their webhooks see them."""

from __future__ import annotations

from typing import Any

import msgspec

from app.batches.batch_view import BatchView, Summary
from app.batches.queries import ItemView
from app.core.jsontext import moment


def batch_body(batch: BatchView) -> dict[str, Any]:
    """A batch, as every native answer shows it."""
    return {
        "id": str(batch.id),
        "name": batch.name,
        "operation": batch.operation,
        "status": batch.status,
        "createdAt": moment(batch.created_at),
        "scheduledAt": moment(batch.scheduled_at),
        "startedAt": moment(batch.started_at),
        "finishedAt": moment(batch.finished_at),
        "progress": batch.progress,
        "metadata": raw(batch.metadata),
        "stopReason": batch.stop_reason,
        "dialect": batch.dialect,
        "reference": batch.reference,
        "summary": summary_body(batch.summary),
    }


def summary_body(summary: Summary) -> dict[str, int]:
    """How many items stand how."""
    return {
        "total": summary.total,
        "pending": summary.pending,
        "running": summary.running,
        "completed": summary.completed,
        "failed": summary.failed,
        "invalid": summary.invalid,
        "canceled": summary.canceled,
        "processed": summary.processed,
    }


def item_body(item: ItemView) -> dict[str, Any]:
    """An item, as every native answer shows it."""
    return {
        "index": item.index,
        "key": item.key,
        "operation": item.operation,
        "status": item.status,
        "attempts": item.attempts,
        "code": item.code,
        "message": item.message,
        "result": raw(item.result),
        "input": raw(item.input),
        "createdAt": moment(item.created_at),
        "startedAt": moment(item.started_at),
        "finishedAt": moment(item.finished_at),
    }


def raw(text: str | None) -> msgspec.Raw | None:
    """JSON text from the database, to be embedded to the letter; None stays null."""
    return None if text is None else msgspec.Raw(text)
