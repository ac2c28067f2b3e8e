"""Gunicorn's worker with threads, which closes connections where it can wait for them.

A connection that is not kept alive is closed gracefully: half of it first, and the rest when the
client has closed its side, or after two seconds. Gunicorn 27 does that in its one loop, so that a
client which is slow to close stops everything else meanwhile. Here the thread that answered does.
"""

from __future__ import annotations

from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker


class WebWorker(ThreadWorker):
    """Gunicorn's gthread worker, otherwise unchanged."""

    def handle(self, conn: TConn) -> Any:
        """Answer a request; whether the connection is kept for the next one."""
        kept = super().handle(conn)
        if kept is False:
            conn.close(graceful=True)
            conn.close = _closed
        return kept


def _closed(graceful: bool = False) -> None:
    """Do nothing: what the loop would close is closed already."""
