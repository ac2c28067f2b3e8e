"""Calling handlers by themselves, as the engine does: loaded items, a context, a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection

from app.core.jsontext import dumps, loads
from app.db.records import RecordStore
from handlers import Item, Operation, Outcome
from handlers.contract import Answer, Problem
from handlers.load import load_handlers


@dataclass
class HandlerContext:
    """A client's context in a transaction that the test owns."""

    connection: Connection
    client_id: UUID = field(default_factory=uuid4)
    batch_id: UUID = field(default_factory=uuid4)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def records(self) -> RecordStore:
        return RecordStore(self.connection, self.client_id)

    def idempotency_key(self, item: Item) -> str:
        return f"{self.batch_id}:{item.index}"


def operation(name: str) -> Operation:
    """The shipped operation of that name."""
    found = load_handlers().get(name)
    assert found is not None, name
    return found


def load(operation: Operation, *datas: Any) -> list[Item]:
    """Items as the engine loads them: through JSON and the schema."""
    items = []
    for index, data in enumerate(datas):
        loaded = operation.load(loads(dumps(data)))
        items.append(Item(index, operation.key_of(loaded), loaded))
    return items


def call(context: HandlerContext, name: str, *datas: Any) -> list[Answer]:
    """The bulk handler's answers to items with those data. Their keys must differ."""
    found = operation(name)
    items = load(found, *datas)
    assert len({item.key for item in items}) == len(items)
    answers: list[Answer] = found.handler(items, context)
    assert len(answers) == len(items)
    return answers


def summed(answers: list[Answer]) -> list[Any]:
    """Each answer in short: its result, or its code and message."""
    return [
        answer.result
        if isinstance(answer, Outcome)
        else (answer.code, answer.message)
        if isinstance(answer, Problem)
        else answer
        for answer in answers
    ]
