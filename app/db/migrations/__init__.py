"""The schema's history, by Alembic. `upgrade` and `pending` are what the command line calls."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from app.core.errors import BatchlineError
from app.db.engine import is_retryable
from app.db.statements.server import LOCK_MIGRATIONS

# Any number: it keeps two processes from migrating at once.
_MIGRATION_LOCK = 7203_1117
# Of a deadlock with who is at work meanwhile; each costs a second or so, in which Postgres looks.
_TRIES = 30


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without an ini file."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.attributes["connection"] = connection
    return settings


class WrongRevision(BatchlineError):
    """There is no way up from the database's revision to the one that is asked for."""


def upgrade(engine: Engine, revision: str = "head") -> list[str]:
    """Bring the database up to `revision`; the revisions that were applied, oldest first.

    Safe to call from several processes at once, and while others work: where it and they lock
    tables in another order, and Postgres ends this, it is done again. Raises WrongRevision, with
    nothing changed, where `revision` is none, or is older than the database is, or the database is
    newer than this code.
    """
    for left in reversed(range(_TRIES)):
        try:
            return _upgrade(engine, revision)
        except DBAPIError as error:
            if not left or not is_retryable(error):
                raise
    raise AssertionError  # the last try returns or raises


def _upgrade(engine: Engine, revision: str) -> list[str]:
    with engine.begin() as connection:
        connection.execute(LOCK_MIGRATIONS, {"key": _MIGRATION_LOCK})
        missing = _missing(connection, revision)
        if missing:
            command.upgrade(config(connection), revision)
        return missing


def downgrade(engine: Engine, revision: str) -> None:
    """Take the database back to `revision` ("base" for nothing at all)."""
    with engine.begin() as connection:
        connection.execute(LOCK_MIGRATIONS, {"key": _MIGRATION_LOCK})
        command.downgrade(config(connection), revision)


def pending(engine: Engine, revision: str = "head") -> list[str]:
    """The revisions that the database lacks up to `revision`, oldest first.

    Raises WrongRevision as `upgrade` does.
    """
    with engine.connect() as connection:
        return _missing(connection, revision)


def _missing(connection: Connection, revision: str) -> list[str]:
    script = ScriptDirectory.from_config(config())
    current = MigrationContext.configure(connection).get_current_revision()
    try:
        wanted = script.get_revision(revision)
    except (CommandError, RevisionError):
        wanted = None
    if wanted is None or wanted.revision.startswith("-"):
        raise WrongRevision(f"There is no revision {revision!r}.")
    try:
        if current is not None:
            script.get_revision(current)
    except (CommandError, RevisionError):
        raise WrongRevision(
            f"The schema is at revision {current}, which is newer than this release knows."
        ) from None
    steps = [step.revision for step in script.iterate_revisions(wanted.revision, "base")]
    if current is not None and current not in steps:
        raise WrongRevision(
            f"The schema is at revision {current}, which is newer than {wanted.revision}."
        )
    return steps[: steps.index(current) if current is not None else None][::-1]
