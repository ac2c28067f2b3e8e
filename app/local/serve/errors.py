"""Why `batchline serve` gives up."""

from __future__ import annotations

from app.core.errors import BatchlineError


class ServeError(BatchlineError):
    """Something that was started does not stay up; the message says which, and its last words."""

    title = "Serve"
