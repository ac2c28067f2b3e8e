"""A batch of a client's, locked; and the refusal that names its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection

from app.core import lifecycle
from app.core.errors import NotFound, WrongState
from app.db.statements.batches import BatchRow, lock_batch_row
from app.db.statements.rows import row_of


class HasStatus(Protocol):
    """A batch, as it is locked or as it is shown."""

    @property
    def status(self) -> str:
        """Its state, such as RUNNING."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What is left to do for whoever made the move, once it has committed.

    `advance`: to have a worker move the batch on. `more`: steps of long work. `detail`: what is
    told of it in the audit; None where it was only asked for again.
    """

    advance: bool
    more: bool = False
    detail: Mapping[str, Any] | None = field(default_factory=dict)


_BEING = {
    lifecycle.CANCEL: "canceled",
    lifecycle.RETRY: "retried",
    lifecycle.RESET: "reset",
    lifecycle.DELETE: "deleted",
    lifecycle.CANCEL_ITEMS: "canceled in part",
}


def lock_batch(
    connection: Connection, client_id: UUID, batch_id: UUID, *, also_while: Sequence[str] = ()
) -> BatchRow:
    """The batch's row, locked until the transaction ends.

    Raises NotFound, and WrongState where a long action of a caller's is still under way, unless it
    is one that `also_while` names.
    """
    this = {"batch_id": batch_id, "client_id": client_id}
    batch = row_of(BatchRow, connection.execute(lock_batch_row(of_client=True), this))
    if batch is None:
        raise NotFound(f"There is no batch {batch_id}.")
    if batch.doing in _BEING and batch.doing not in also_while:
        raise WrongState(
            f"The batch is {batch.status} and being {_BEING[batch.doing]}: nothing else can be "
            "done with it until that is over."
        )
    return batch


def require(batch: HasStatus, allowed: Sequence[str], what: str) -> None:
    """Raise WrongState unless the batch's status is one of `allowed`. `what`: "be paused"."""
    if batch.status not in allowed:
        raise WrongState(
            f"The batch is {batch.status}; it can {what} only while {_either(allowed)}."
        )


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
