"""Whether a connection that lay in the pool is still one, without asking the server each time.

A server that ends a session (a restart, pg_terminate_backend, a timeout) says so and closes the
connection; one that has vanished is found by keepalive, after half a minute. Either way there is
something to be read from a connection on which nothing was asked, and to look whether there is
costs a microsecond, where a ping costs a round trip. Only a connection with such news is asked.
"""

from __future__ import annotations

import select
from typing import Any

import psycopg2
from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

_NEWS = select.POLLIN | select.POLLPRI | getattr(select, "POLLRDHUP", 0)


def discard_cut_connections(engine: Engine) -> None:
    """Let the pool of `engine` hand out no connection that has been cut while it lay there.

    One that was cut takes the others with it: all that were made before are made anew.
    """

    @event.listens_for(engine, "checkout")
    def discard_if_cut(driver: Any, _record: Any, _fairy: Any) -> None:
        if has_news(driver) and not _answers(engine, driver):
            raise InvalidatePoolError("It was cut.")


def has_news(driver: Any) -> bool:
    """Whether anything came of a connection on which nothing was asked, be it its end."""
    if driver.closed:
        return True
    poll = select.poll()
    poll.register(driver.fileno(), _NEWS)
    return bool(poll.poll(0))


def _answers(engine: Engine, driver: Any) -> bool:
    try:
        return bool(engine.dialect.do_ping(driver))
    except psycopg2.Error:
        return False
