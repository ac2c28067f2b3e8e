"""What became of the items that were run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from batchline.testing.records import MemoryRecords


@dataclass(frozen=True, slots=True)
class Result:
    """An item as `GET /v1/batches/{id}/items` would show it.

    `status`: SUCCESS, INVALID, FAILED, or PENDING where it would be tried again or has to wait for
    an item before it. `result`: as it would be stored and read again, numbers with a point as
    Decimal. `error`: what the handler raised, or answered, if it was no Outcome.
    """

    index: int
    key: str | None
    status: str
    code: int | None = None
    message: str | None = None
    result: Any = None
    error: BaseException | None = field(default=None, compare=False)


class Results(list[Result]):
    """One result an item, in their order. `records`: the client's records afterwards."""

    def __init__(self, results: Iterable[Result], records: MemoryRecords) -> None:
        super().__init__(results)
        self.records = records
