"""What goes wrong with embedded servers."""

from __future__ import annotations

from app.core.errors import BatchlineError


class ServerError(BatchlineError):
    """An embedded server cannot be started; the message says why and what to do about it."""

    title = "Embedded server"


class HomeInUse(ServerError):
    """Another process that is alive uses the same BATCHLINE_HOME."""
