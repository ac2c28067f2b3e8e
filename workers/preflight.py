"""Before a worker starts: its handlers can be loaded, or it says in one line why not, and ends."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from app.core.settings import Settings
from handlers.load import load_handlers, refused


def check_handlers(settings: Settings, *, apart: bool) -> None:
    """End the process with status 1 and a line on stderr if the handlers cannot be loaded.

    `apart`: look in a process of its own. A pool of processes is forked later, and what handlers
    open when they are imported (a connection, say) must not be shared by its children.
    """
    why = _look_apart(settings) if apart else _look(settings)
    if why:
        sys.stderr.write(f"{why}\n")
        raise SystemExit(1)


def _look(settings: Settings) -> str:
    try:
        load_handlers(settings.handlers, http_bases=settings.http_handler_bases)
    except ImportError as error:
        return refused(error, settings.handlers)
    return ""


def _look_apart(settings: Settings) -> str:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _report(settings, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        why = answer.read().decode("utf-8", "replace")
    os.waitpid(child, 0)
    # One that has ended without a word: the module did away with its process.
    return why.removesuffix(_DONE) if why.endswith(_DONE) else _ENDED


_DONE = "\x00"
_ENDED = "HANDLERS: a module ends its process"


def _report(settings: Settings, writer: int) -> NoReturn:
    """In the child: tell the parent, and end without anything that the parent has to clean up."""
    try:
        # What modules print they print again where they are used.
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.write(writer, (_look(settings)[:60_000] + _DONE).encode("utf-8", "replace"))
    finally:
        os._exit(0)
