"""Notes what a child of the pool died of, for the takeover of its slices.

Only its parent learns the exit status. The note is written by the parent's main thread, which also
forks, over a connection that is closed at once, so that no child inherits its lock or socket.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import structlog
from billiard.common import human_status

from app.db.statements.workers import NOTE_DEATH
from workers.engine.process.heartbeat import this_machine

log = structlog.get_logger(__name__)

# The parent does nothing else while it connects.
_CONNECT_SECONDS = 2


def note_deaths(task_pool: Any, database_dsn: str) -> None:
    """Have the deaths of the processes of Celery's pool noted from now on."""
    pool = task_pool._pool
    make_handlers = pool._create_process_handlers

    def make_again(*args: Any, **options: Any) -> None:
        # Celery makes its handlers anew each time it has reconnected to its broker.
        make_handlers(*args, **options)
        pool.on_process_down = _noting(pool.on_process_down, database_dsn)

    pool._create_process_handlers = make_again
    pool.on_process_down = _noting(pool.on_process_down, database_dsn)


def _noting(handler: Callable[[Any], None], database_dsn: str) -> Callable[[Any], None]:
    def noting(process: Any) -> None:
        handler(process)
        # A process that stopped in order has removed its row, so even exit status 0 is noted: a
        # handler may have called exit().
        how = human_status(process.exitcode or 0).replace("exitcode", "exit status")
        _note(database_dsn, process.pid, how)

    return noting


def _note(database_dsn: str, pid: int, how: str) -> None:
    try:
        with (
            closing(psycopg2.connect(database_dsn, connect_timeout=_CONNECT_SECONDS)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(NOTE_DEATH, (how, this_machine(), pid))
    except psycopg2.Error as error:  # its death is still found by the sweep, without a reason
        log.warning("death.not_noted", pid=pid, how=how, error=str(error))
