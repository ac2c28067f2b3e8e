"""A batch of a client's, locked; and the refusal that names its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection

from app.core.errors import NotFound, WrongState
from app.db.statements.batches import BatchRow, lock_batch_row
from app.db.statements.rows import row_of


class HasStatus(Protocol):
    """A batch, as it is locked or as it is shown."""

    @property
    def status(self) -> str:
        """Its state, such as RUNNING."""


def lock_batch(connection: Connection, client_id: UUID, batch_id: UUID) -> BatchRow:
    """The batch's row, locked until the transaction ends. Raises NotFound."""
    this = {"batch_id": batch_id, "client_id": client_id}
    batch = row_of(BatchRow, connection.execute(lock_batch_row(of_client=True), this))
    if batch is None:
        raise NotFound(f"There is no batch {batch_id}.")
    return batch


def require(batch: HasStatus, allowed: Sequence[str], doing: str) -> None:
    """Raise WrongState unless the batch's status is one of `allowed`. `doing`: "be paused"."""
    if batch.status not in allowed:
        raise WrongState(
            f"The batch is {batch.status}; it can {doing} only while {_either(allowed)}."
        )


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
