"""The processes' output in files, one for each, under `BATCHLINE_HOME/log`."""

from __future__ import annotations

import logging
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path

LARGEST = 10 * 1024 * 1024
"""Bytes of a file. What is older is kept in `OLDER` more, and then dropped."""
OLDER = 3


class LogFiles:
    """`NAME.log` for each process; made when it first says something.

    From several threads. A full disk loses lines, and nothing else.
    """

    def __init__(self, folder: Path) -> None:
        """`folder`: made if it is not there, for its owner alone. Raises OSError."""
        folder.mkdir(mode=0o700, exist_ok=True)
        self.folder = folder
        self._files: dict[str, _File] = {}
        self._lock = threading.Lock()

    def write(self, name: str, text: str) -> None:
        """Append `text` to the file of the process `name`."""
        with self._lock:
            if name not in self._files:
                self._files[name] = _File(self.folder / f"{name}.log")
        self._files[name].handle(logging.makeLogRecord({"msg": text}))

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


class _File(RotatingFileHandler):
    def __init__(self, path: Path) -> None:
        super().__init__(
            path, maxBytes=LARGEST, backupCount=OLDER, encoding="utf-8", errors="replace"
        )

    def handleError(self, record: logging.LogRecord) -> None:
        """There is no place to tell it in."""
