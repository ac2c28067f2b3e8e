"""The API and the database of this machine, for commands that were given no address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from app.core.envfile import read_env
from app.core.error_text import said_by_postgres
from app.core.errors import SettingsError
from app.core.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from batchline.client.api import Api


def connect(url: str | None, secret: str | None) -> Api:
    """The API at `url` with `secret`; what is None is taken from BATCHLINE_HOME or the defaults."""
    from batchline.client.api import Api

    settings = load_settings()
    running = read_env(settings.batchline_home)
    if url is None:
        port = os.environ.get("PORT") and settings.port
        url = f"http://127.0.0.1:{port}" if port else running.get("BATCHLINE_URL")
    if secret is None:
        secret = running.get("BATCHLINE_SECRET")
    if secret is None:
        raise SettingsError(
            "BATCHLINE_SECRET: not set, and no demo client here: "
            "make a client with `batchline clients create`, and set it or use --secret"
        )
    return Api(url or f"http://127.0.0.1:{settings.port}", secret)


@contextmanager
def database(settings: Settings) -> Iterator[Engine]:
    """The database: DATABASE_URL's, or the embedded one of BATCHLINE_HOME.

    An embedded one that is not running is started for as long as the block lasts. Raises
    SettingsError if there is neither, and a ClickException with what Postgres says where it
    cannot be reached or refuses a statement of the block.
    """
    from app.db import make_engine
    from app.local.servers import HomeInUse, start_postgres

    def engine(url: str) -> Engine:
        return make_engine(url, name="batchline-cli", pool_size=1)

    if settings.database_url is not None:
        yield from _using(engine(settings.database_url))
        return
    home = settings.batchline_home
    if not (home / "postgres").exists():
        raise SettingsError(
            f"DATABASE_URL: not set, and there is no database in {home}: "
            "set it, set BATCHLINE_HOME, or run `batchline serve` first"
        )
    try:
        server = start_postgres(home)
    except HomeInUse:
        running = load_settings({"DATABASE_URL": read_env(home).get("DATABASE_URL", "")})
        if running.database_url is None:
            raise
        yield from _using(engine(running.database_url))
    else:
        with server:
            started = load_settings({"DATABASE_URL": server.url})
            yield from _using(engine(started.database_url or ""))


def _using(engine: Engine) -> Iterator[Engine]:
    from sqlalchemy.exc import DBAPIError

    try:
        yield engine
    except DBAPIError as error:
        # Whoever types a command is told what Postgres says, and is shown no traceback of it.
        raise click.ClickException(f"Postgres: {said_by_postgres(error.orig)}") from error
    finally:
        engine.dispose()
