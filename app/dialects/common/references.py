"""Ids as other systems write them. Each is unique for a client, and kept as `batches.reference`."""

from __future__ import annotations

import secrets
import time
from uuid import UUID, uuid5


def object_id() -> str:
    """24 hex digits, as MongoDB's ObjectId: the second it was made, and 8 random bytes."""
    return f"{int(time.time()):08x}{secrets.token_hex(8)}"


def item_id(batch_id: UUID, index: int) -> str:
    """A UUID for an item, which has none of its own: always the same for the same item."""
    return str(uuid5(batch_id, str(index)))
