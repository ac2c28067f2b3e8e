"""What a key may do in the console: as with the API."""

from __future__ import annotations

from app.clients.credentials import Caller

READ = "batches.read"
WRITE = "batches.write"
WEBHOOKS = "webhooks.manage"
SUBMIT = "batches.write and batches.read"
"""To submit, and see what comes of it: as with the API, `admin` does not stand for the first."""


def may(found: Caller, scope: str | None) -> bool:
    """Whether the key has `scope` (None: all have), or is an admin's, who may read and steer."""
    if scope == SUBMIT:
        return WRITE in found.scopes and may(found, READ)
    return scope is None or scope in found.scopes or (found.is_admin and scope in (READ, WRITE))
