"""Embedded Postgres and Valkey, for a machine that has none: started, tuned and stopped from here.

`embedded_servers(settings)` starts those that the settings do not name. `start_postgres` and
`start_valkey` start one, on any folder (tests and benchmarks use them so).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from app.core.settings import Settings
from app.local.servers.errors import HomeInUse, ServerError
from app.local.servers.postgres import start_postgres
from app.local.servers.server import Server
from app.local.servers.valkey import start_valkey

__all__ = [
    "HomeInUse",
    "Server",
    "ServerError",
    "ServerUrls",
    "embedded_servers",
    "start_postgres",
    "start_valkey",
]


@dataclass(frozen=True, slots=True)
class ServerUrls:
    """Where the servers are, and which of them are embedded (in order of start)."""

    database_url: str
    redis_url: str
    embedded: tuple[Server, ...] = ()


@contextmanager
def embedded_servers(settings: Settings) -> Iterator[ServerUrls]:
    """Start the servers that `settings` does not name under BATCHLINE_HOME; stop them on leaving.

    Raises ServerError if one cannot be started; HomeInUse if another process has them running.
    """
    with ExitStack() as stack:
        started: list[Server] = []
        database_url, redis_url = settings.database_dsn, settings.redis_url
        if database_url is None:
            started.append(stack.enter_context(start_postgres(settings.batchline_home)))
            database_url = started[-1].url
        if redis_url is None:
            started.append(stack.enter_context(start_valkey(settings.batchline_home)))
            redis_url = started[-1].url
        yield ServerUrls(database_url, redis_url, tuple(started))
