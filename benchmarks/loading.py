"""A batch of very many items, written by SQL: submitted, it would take minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg2

from app.core.ids import new_id
from benchmarks.stack import Stack


def load(
    stack: Stack,
    batch: str,
    items: str,
    count: int,
    *,
    at_once: int,
    more: Mapping[str, Any] | None = None,
    then: Sequence[str] = (),
) -> UUID:
    """Run `batch` once, `items` for every `at_once` of `count`, and `then`; the batch's id.

    Statements of psycopg2, each by itself. They are given %(batch)s, %(client)s, %(items)s (which
    is `count`) and `more`; `items` also the %(first)s and the %(last)s.
    """
    batch_id = new_id()
    values = {
        "batch": str(batch_id),
        "client": str(stack.client.client_id),
        "items": count,
        **(more or {}),
    }
    connection = psycopg2.connect(stack.dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(batch, values)
        for first in range(0, count, at_once):
            last = min(count, first + at_once) - 1
            cursor.execute(items, {**values, "first": first, "last": last})
        for statement in then:
            cursor.execute(statement, values)
    connection.close()
    return batch_id
