"""The schema's history, by Alembic. `upgrade` and `pending` are what the command line calls."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from app.db.statements.server import LOCK_MIGRATIONS

# Any number: it keeps two processes from migrating at once.
_MIGRATION_LOCK = 7203_1117


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without an ini file."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.attributes["connection"] = connection
    return settings


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database to `revision`. Safe to call from several processes at once."""
    with engine.begin() as connection:
        connection.execute(LOCK_MIGRATIONS, {"key": _MIGRATION_LOCK})
        command.upgrade(config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the database back to `revision` ("base" for nothing at all)."""
    with engine.begin() as connection:
        connection.execute(LOCK_MIGRATIONS, {"key": _MIGRATION_LOCK})
        command.downgrade(config(connection), revision)


def pending(engine: Engine) -> list[str]:
    """The revisions that the database lacks, oldest first."""
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory.from_config(config())
    missing = script.iterate_revisions("head", current or "base")
    return [revision.revision for revision in missing][::-1]
