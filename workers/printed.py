"""What handlers print, in the log by lines: `print` hands over its parts one by one."""

from __future__ import annotations

import threading
from typing import Any

from celery.utils.log import LoggingProxy

LONGEST = 8192
"""Characters that are kept of a line that has no end; with one more they are a record."""


class PrintedLines(LoggingProxy):
    """In place of the standard streams in a worker: a record for each line, not for each write.

    Threads do not mix: each has the line that it has begun, of `LONGEST` characters at most, so
    who never ends one takes no more memory than that. `flush` ends a line that has no end.
    """

    def __init__(self, logger: Any, loglevel: Any = None) -> None:
        super().__init__(logger, loglevel)
        self._own = threading.local()

    def write(self, data: str) -> int:  # type: ignore[override]  # as a stream's
        """Log the lines that are whole, and keep the rest until its end comes."""
        *lines, rest = (getattr(self._own, "begun", "") + str(data)).split("\n")
        if len(rest) > LONGEST:
            lines, rest = [*lines, rest], ""
        self._own.begun = rest
        for line in lines:
            super().write(line)
        return len(data)

    def flush(self) -> None:
        """Log what is begun, as at the end of a process."""
        begun, self._own.begun = getattr(self._own, "begun", ""), ""
        super().write(begun)
