"""What a key may do in the console: as with the API."""

from __future__ import annotations

from app.clients.credentials import Caller

READ = "batches.read"
WRITE = "batches.write"
WEBHOOKS = "webhooks.manage"


def may(found: Caller, scope: str | None) -> bool:
    """Whether the key has `scope` (None: all have), or is an admin's, who may read and steer."""
    return scope is None or scope in found.scopes or (found.is_admin and scope in (READ, WRITE))
