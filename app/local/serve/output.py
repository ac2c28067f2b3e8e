"""What is said on the terminal: our own lines, and of the processes what is worth it; or objects.

All that processes say is in files, where there are any (`keep_in`).
"""

from __future__ import annotations

import contextlib
import sys
import threading
from datetime import datetime

from honcho.colour import get_colours
from honcho.printer import Message, Printer

from app.core.colours import colours_wanted
from app.core.log_lines import ObjectLines, as_object, underneath
from app.local.serve.log_files import LogFiles
from app.local.serve.worth_showing import worth_showing

OWN_NAME = "batchline"


class _Stdout:
    """Standard output as it is at the moment: while bars are shown, rich puts its own there."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()

    def isatty(self) -> bool:
        return sys.stdout.isatty()


class Output:
    """Prints lines from several threads. A terminal that went away is no reason to stop."""

    def __init__(self) -> None:
        self._printer = Printer(output=_Stdout(), width=len(OWN_NAME), colour=colours_wanted())
        self._lock = threading.Lock()
        self._colours = get_colours()
        self._colour_of: dict[str, str] = {}
        self._files: LogFiles | None = None

    def keep_in(self, files: LogFiles) -> None:
        """From now on write processes' lines there, and print only those worth showing."""
        self._files = files

    def line(self, data: str, name: str = OWN_NAME) -> None:
        """Print `data` (of `name`), which may have several lines."""
        if isinstance(sys.stdout, ObjectLines):
            self._object_lines(data, name)
            return
        if name != OWN_NAME and self._files is not None:
            self._files.write(name, data)
            shown = worth_showing(data)
            if shown is None:
                return
            data = shown
        self._print(data, name)

    def block(self, text: str) -> None:
        """Print `text` as it is, in one piece: no process's line comes between."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def _print(self, data: str, name: str) -> None:
        colour = None
        if name != OWN_NAME:
            if name not in self._colour_of:
                self._colour_of[name] = next(self._colours)
            colour = self._colour_of[name]
        now = datetime.now()  # noqa: DTZ005 (the clock on the wall is what is wanted)
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._printer.write(Message(type="line", data=data, time=now, name=name, colour=colour))

    def _object_lines(self, text: str, name: str) -> None:
        """The lines as objects, to standard error: what is no object becomes one that names who."""
        stream = underneath(sys.stderr)
        with self._lock, contextlib.suppress(OSError, ValueError):
            for line in filter(str.strip, text.splitlines()):
                stream.write(f"{as_object(line, name)}\n")
            stream.flush()
