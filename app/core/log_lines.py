"""What is not logged but printed, as objects too: a line each, where logs are JSON.

Libraries print where they do not log: banners, usage errors, what an interpreter says that has not
come far. Who collects logs reads them by lines, and each has to be an object.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO

from app.core.log_scrubbing import scrub

VARIABLE = "LOG_FORMAT"


def as_object(line: str, logger: str, level: str = "info") -> str:
    """A line as an object: as it is, if it is one."""
    if line.startswith("{"):
        try:
            if isinstance(json.loads(line), dict):
                return line
        except ValueError:
            pass
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"event": scrub(line), "logger": logger, "level": level, "timestamp": moment})


class ObjectLines(io.TextIOBase):
    """A text stream that writes each line as an object to `raw`.

    Safe to share between threads, each of which has a line of its own that it has begun.
    """

    def __init__(self, raw: TextIO, logger: str, level: str) -> None:
        self.raw = raw
        self._logger = logger
        self._level = level
        self._begun = threading.local()

    def write(self, text: str) -> int:
        """Write the lines that are whole; keep the rest until its end comes."""
        *lines, rest = (getattr(self._begun, "text", "") + text).split("\n")
        self._begun.text = rest
        self._put(lines)
        return len(text)

    def flush(self) -> None:
        """Flush what is underneath."""
        self.raw.flush()

    def end(self) -> None:
        """Write a line of this thread's that has no end."""
        rest, self._begun.text = getattr(self._begun, "text", ""), ""
        self._put([rest])

    def _put(self, lines: list[str]) -> None:
        whole = "".join(
            f"{as_object(line.rstrip(), self._logger, self._level)}\n"
            for line in lines
            if line.strip()
        )
        if whole:
            self.raw.write(whole)
            self.raw.flush()

    def isatty(self) -> bool:
        """It is for a program to read."""
        return False

    def fileno(self) -> int:
        """The descriptor underneath."""
        return self.raw.fileno()

    def writable(self) -> bool:
        """Yes."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As the one underneath."""
        return self.raw.encoding


STREAMS = (("stdout", "info"), ("stderr", "warning"))
"""The standard streams, and the level of what is printed there."""


def print_objects(*streams: tuple[str, str]) -> None:
    """From now on write what this process prints as objects. Again changes nothing.

    `streams`: of STREAMS, all by default.
    """
    for name, level in streams or STREAMS:
        stream: Any = getattr(sys, name)
        if isinstance(stream, ObjectLines) or not hasattr(stream, "fileno"):
            continue
        wrapped = ObjectLines(stream, name, level)
        setattr(sys, name, wrapped)
        atexit.register(wrapped.end)


def print_objects_if_asked(*, but_stdout: bool = False) -> None:
    """The same where `LOG_FORMAT` is `json`: before settings are read, whose errors are told.

    `but_stdout`: what stands there is for whoever called the command.
    """
    if os.environ.get(VARIABLE, "").strip().lower() == "json":
        print_objects(*STREAMS[but_stdout:])


def underneath(stream: TextIO) -> TextIO:
    """The stream itself that an `ObjectLines` writes to."""
    return stream.raw if isinstance(stream, ObjectLines) else stream


def say_at_once(message: str, stream: TextIO | None = None, *, logger: str) -> None:
    """Write an object without any lock, as a handler of a signal has to. Never raises."""
    line = as_object(message, logger)
    with suppress(OSError, ValueError):
        os.write((stream or sys.__stderr__ or sys.stderr).fileno(), f"{line}\n".encode())
