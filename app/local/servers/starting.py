"""Starting an embedded server: on one port after another, until it answers on one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from app.local.servers.errors import ServerError
from app.local.servers.guarded import Guarded, Spec
from app.local.servers.server import Server, last_lines, open_log

START_SECONDS = 120.0
"""How long it may take until a server answers: after a crash it first recovers what it stored."""


def start_on_a_port(
    name: str,
    ports: Iterable[int],
    log_path: Path,
    lock: int,
    *,
    spec: Callable[[int], Spec],
    opened: Callable[[Guarded, int], Server | None],
    taken: tuple[str, ...],
) -> Server:
    """Start the server on the first of `ports` that no other process has taken.

    `spec(port)`: what to run; it inherits `lock`. `opened(guarded, port)`: waits until it answers;
    None if it ended instead. `taken`: what the log says if the port was taken. Raises ServerError
    with the end of the log.
    """
    failure = ""
    for port in ports:
        to_run = spec(port)
        with open_log(log_path) as log:
            begins = log.seek(0, os.SEEK_END)
            guarded = Guarded(to_run, output=log, inherit=(lock,))
        try:
            server = opened(guarded, port)
        except BaseException:
            guarded.stop()
            raise
        if server is not None:
            return server
        guarded.stop()
        failure = last_lines(log_path, begins)
        if not any(words in failure for words in taken):
            break
    raise ServerError(f"{name} did not start. The end of {log_path}:\n{failure}")


def wait_until_it_answers(
    name: str, guarded: Guarded, ask: Callable[[], object], refusals: type[Exception]
) -> bool:
    """True once `ask()` no longer raises `refusals`; False if the server ended instead.

    Raises ServerError after START_SECONDS.
    """
    deadline = time.monotonic() + START_SECONDS
    while guarded.running:
        try:
            ask()
        except refusals as error:
            if time.monotonic() > deadline:
                raise ServerError(f"{name} did not get ready: {error}") from error
            time.sleep(0.02)
        else:
            return True
    return False
