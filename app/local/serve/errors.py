"""Why `batchline serve` gives up."""

from __future__ import annotations

from app.core.errors import BatchlineError


class ServeError(BatchlineError):
    """A process does not stay up; the message names it and shows the end of its output."""

    title = "Serve"
