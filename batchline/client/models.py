"""What the API answers, with typed attributes.

Names are the API's in snake_case: `finishedAt` is `finished_at`. Fields that a newer server adds
are passed over; times are aware datetimes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class _Shown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that the API shows."""


class Summary(_Shown, frozen=True, kw_only=True):
    """How many items of a batch there are, and how many are in which state."""

    total: int
    pending: int
    running: int
    completed: int
    failed: int
    invalid: int
    canceled: int
    processed: int


class Doing(_Shown, frozen=True, kw_only=True):
    """A long action under way."""

    action: str
    done: int
    total: int


class Ramp(_Shown, frozen=True, kw_only=True):
    """The steps that a batch begins with. `hold`: "auto", or "approve" to pause after each.

    `max_failure_percent`: a larger share of a step's items that fail pauses it in any case.
    """

    steps: list[int]
    hold: str
    max_failure_percent: float


class Batch(_Shown, frozen=True, kw_only=True):
    """A batch, as it was when it was asked for. `waiting_for`: what, before it goes on."""

    id: str
    name: str | None
    operation: str | None
    status: str
    created_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    progress: float
    metadata: dict[str, Any] | None
    stop_reason: str | None
    dialect: str
    reference: str | None
    summary: Summary
    ramp: Ramp | None = None
    waiting_for: str | None = None
    doing: Doing | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it by itself: no long action goes on, either."""
        return self.finished_at is not None and self.doing is None


class Item(_Shown, frozen=True, kw_only=True):
    """An item of a batch. `input`: as it was sent; `result`: what its handler answered.

    `failure`: of what went wrong, the same for the same cause in every batch.
    """

    index: int
    key: str | None
    operation: str | None
    status: str
    attempts: int
    code: int | None
    message: str | None
    result: Any
    input: Any
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    failure: str | None = None


class Failure(_Shown, frozen=True, kw_only=True):
    """Items of a batch that failed alike, or were found invalid alike.

    `failure`: its id, the same in every batch; None where the server tells none. `message`: with …
    where it varies; `status`: None where they ended in different ways; `example`: one of them,
    whole.
    """

    failure: str | None
    operation: str | None
    status: str | None
    code: int | None
    message: str | None
    count: int
    first_index: int | None
    last_index: int | None
    example: str | None


class Try(_Shown, frozen=True, kw_only=True):
    """A try of an item, or what the item has come to.

    `attempt`: how many tries it had had with it; `status`: PENDING where it was to be tried again
    by itself; `input`: what it ran on.
    """

    attempt: int
    at: datetime
    status: str
    code: int | None
    message: str | None
    input: Any


class Selected(_Shown, frozen=True, kw_only=True):
    """How many items were chosen, and the batch as it is then."""

    selected: int
    batch: Batch
