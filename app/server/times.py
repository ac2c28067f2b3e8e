"""When a connection's time is over, and what becomes of it then."""

from __future__ import annotations

import time

from app.server import bounds
from app.server.connection import (
    ASKS,
    BODY,
    BUSY,
    CLOSING,
    FLUSH,
    HEAD,
    HELD,
    IDLE,
    LINE,
    Connection,
)

_HEAD_LATE = (408, "timeout", "The request's head did not arrive in time.")
_STOPPING = (503, "unavailable", "This process is being stopped; another one takes it.")


def overdue(connection: Connection, now: float, keepalive: float) -> None:
    """Look whether its time has passed. `now`: monotonic seconds, as all times here."""
    state, waited = connection.state, now - connection.since
    if state == HEAD and waited > bounds.HEAD_SECONDS:
        if connection.silent:
            connection.vanish()
        else:
            connection.refuse(*_HEAD_LATE)
    elif state == IDLE and waited > keepalive:
        connection.vanish()
    elif state in (LINE, ASKS) and waited > bounds.LINE_SECONDS and connection.withdraw():
        connection.refuse(*BUSY)
    elif state == HELD and waited > bounds.HELD_SECONDS:
        connection.release()
    elif state == FLUSH and now - connection.outgoing.moved_at > bounds.UNREAD_SECONDS:
        connection.vanish(reset=True)
    elif state == CLOSING and waited > bounds.LINGER_SECONDS:
        connection.vanish()


class Stop:
    """A process that stops: what has begun has its time to end, and all of it has ended by then.

    `within`: seconds after which it has to be over. The parent process kills it then, which would
    leave behind what a request holds: its idempotency key for a while.
    """

    def __init__(self, within: float) -> None:
        self._began = time.monotonic()
        # What is still being received; all else.
        self._received_by = max(bounds.STOP_LINGER_SECONDS, within - 4.0)
        self._over_by = max(bounds.STOP_LINGER_SECONDS, within - 2.0)

    @property
    def is_over(self) -> bool:
        """Whether to wait no longer."""
        return time.monotonic() - self._began >= self._over_by

    def look(self, connection: Connection) -> None:
        """End it if it has had its time."""
        spent = time.monotonic() - self._began
        if spent < bounds.STOP_LINGER_SECONDS:
            return
        state = connection.state
        if connection.silent:
            connection.vanish()
        elif state == HEAD:
            connection.refuse(*_STOPPING)
        elif state == HELD:
            connection.release()
        elif state == CLOSING and time.monotonic() - connection.since > bounds.STOP_LINGER_SECONDS:
            connection.vanish()
        elif spent >= self._received_by:
            if state in (BODY, ASKS) or (state == LINE and connection.withdraw()):
                connection.refuse(*_STOPPING)
            elif state == LINE:
                connection.incoming.stop()

    def end(self, connection: Connection) -> None:
        """Its time is over, whatever it does: an answer that is not whole must not look so."""
        if connection.state != LINE:
            connection.vanish(reset=connection.state == FLUSH)
