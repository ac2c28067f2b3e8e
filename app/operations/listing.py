"""The operations as they are listed: those of the process, and those that others have published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection

from app.operations.description import describe
from app.operations.known import KnownOperations, is_remembered, list_operations
from handlers import Operation


@dataclass(frozen=True, slots=True)
class Listed:
    """`description`: what is published of it; another release may have said less than this one.

    `served`: a live worker has it. `here`: the process has it.
    """

    name: str
    description: Mapping[str, Any]
    served: bool
    here: bool


def listed(connection: Connection, registry: KnownOperations, *, stale: float) -> dict[str, Listed]:
    """All of them, by name and in its order. `stale`: seconds of silence that end a worker."""
    published = {one.name: one for one in list_operations(connection, stale=stale)}
    own = {operation.name: _described(operation) for operation in registry.own}
    others = {
        name: one.description
        for name, one in published.items()
        if name not in own and one.description and is_remembered(one)
    }
    said = {**others, **own}
    return {
        name: Listed(name, said[name], name in published and published[name].served, name in own)
        for name in sorted(said)
    }


@cache
def _described(operation: Operation) -> Mapping[str, Any]:
    """Of one of the process's own, which is described once: it stays as it is."""
    return describe(operation)
