"""Checks before anything is started."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import closing

from app.core.errors import SettingsError
from app.core.settings import Settings


def check_handlers(settings: Settings) -> None:
    """Raise SettingsError, naming the module, if one of HANDLERS or of a package cannot be used.

    Web and workers import the same: they would end, and be started again, one after the other.
    """
    from handlers.load import load_handlers, refused

    if settings.handlers and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        load_handlers(settings.handlers, http_bases=settings.http_handler_bases)
    except ImportError as error:
        raise SettingsError(refused(error, settings.handlers)) from error


def check_given_servers(settings: Settings) -> None:
    """Raise SettingsError naming the variable whose server cannot be reached."""
    problems = []
    if settings.database_dsn is not None:
        import psycopg2

        from app.db.engine import check_encoding

        try:
            with closing(psycopg2.connect(settings.database_dsn, connect_timeout=5)) as connection:
                check_encoding(connection)
        except SettingsError as error:
            problems.append(str(error))
        except psycopg2.Error as error:
            problems.append(f"DATABASE_URL: {str(error).strip()}")
    if settings.redis_url is not None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        try:
            with redis.Redis.from_url(
                settings.redis_url, socket_timeout=5, retry=Retry(NoBackoff(), 0)
            ) as client:
                client.ping()
        except (redis.RedisError, OSError) as error:
            problems.append(f"REDIS_URL: {error}")
    if settings.explicit_broker_url is not None:
        from kombu import Connection

        from app.messaging.redis_transport import use_one_client

        # Kombu keeps the transport that a process first asked for by a name.
        use_one_client()
        try:
            with Connection(settings.explicit_broker_url, connect_timeout=5) as connection:
                connection.ensure_connection(max_retries=1, timeout=5)
        except Exception as error:  # each transport raises its own
            problems.append(f"BROKER_URL: {str(error) or type(error).__name__}")
    if problems:
        raise SettingsError("\n".join(problems))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the API's address, for gunicorn to inherit.

    Bound here, the port is known to be free before anything starts, 0 becomes a number without a
    race, and requests wait, not fail, while the web process is restarted. Raises SettingsError
    naming PORT.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise SettingsError(_taken("PORT", host, port, error)) from error
    listener.set_inheritable(True)
    return listener


def reserve(variable: str, port: int, host: str = "127.0.0.1") -> socket.socket:
    """A socket bound to `port`, but not listening: held, the port is not given to others.

    The process that it is held for can still listen on it, as both allow reuse. Raises
    SettingsError naming `variable`.
    """
    holder = socket.socket()
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, port))
    except OSError as error:
        holder.close()
        raise SettingsError(_taken(variable, host, port, error)) from error
    return holder


def _taken(variable: str, host: str, port: int, error: OSError) -> str:
    return (
        f"{variable}: cannot listen on port {port} of {host} ({error.strerror}): "
        f"stop what uses it, or set {variable} to another port, or to 0 for any that is free"
    )
