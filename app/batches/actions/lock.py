"""A batch of a client's, locked; and the refusal that names its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from app.core.errors import NotFound, WrongState

_LOCK = text(
    "SELECT * FROM batches WHERE id = :batch_id AND client_id = :client_id FOR NO KEY UPDATE"
)


def lock_batch(connection: Connection, client_id: UUID, batch_id: UUID) -> Any:
    """The batch's row, locked until the transaction ends. Raises NotFound."""
    batch = connection.execute(_LOCK, {"batch_id": batch_id, "client_id": client_id}).one_or_none()
    if batch is None:
        raise NotFound(f"There is no batch {batch_id}.")
    return batch


def require(batch: Any, allowed: Sequence[str], doing: str) -> None:
    """Raise WrongState unless the batch's status is one of `allowed`. `doing`: "be paused"."""
    if batch.status not in allowed:
        raise WrongState(
            f"The batch is {batch.status}; it can {doing} only while {_either(allowed)}."
        )


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
