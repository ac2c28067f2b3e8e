"""The tables of this package: in a schema of its own, with a history of its own.

`shop-migrate` brings them up to date. Batchline's `migrate` knows nothing of them, and they nothing
of Batchline's tables, so that either can be deployed without the other.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, make_url, text

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('shop.migrations'))")
_SCHEMA = text("CREATE SCHEMA IF NOT EXISTS shop")
# What workers do with the rows, and no more. The names are the operator's own.
_GRANTS = (
    'GRANT USAGE ON SCHEMA shop TO "{role}"',
    'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO "{role}"',
)


def upgrade(engine: Engine, role: str | None = None) -> None:
    """Bring the schema up to date; safe to call twice, and from several processes at once.

    `role`: that of Batchline's processes, where it is not the tables' owner.
    """
    with engine.begin() as connection:
        connection.execute(_LOCK)
        connection.execute(_SCHEMA)
        command.upgrade(_config(connection), "head")
        for grant in _GRANTS if role else ():
            connection.exec_driver_sql(grant.format(role=str(role).replace('"', '""')))


def _config(connection: Connection) -> Config:
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.attributes["connection"] = connection
    return settings


def main() -> None:
    """The command: DATABASE_URL is the owner's, and DATABASE_ROLE as for `batchline migrate`."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        sys.exit("DATABASE_URL must say where the database is")
    # SQLAlchemy has to be told which driver, where the URL does not say it.
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg2"))
    try:
        upgrade(engine, os.environ.get("DATABASE_ROLE"))
    finally:
        engine.dispose()
    sys.stdout.write("The tables of shop are up to date.\n")
