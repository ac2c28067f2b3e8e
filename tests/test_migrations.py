"""Migrations give exactly the schema that the models describe, and take it back."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

import app.dialects
import handlers.shipped
from app.db import make_engine
from app.db.migrations import downgrade, pending, upgrade
from app.db.models import Base
from app.db.models.guards import GUARD_FUNCTION, GUARDS
from app.db.models.key import FIRST_KEY_FUNCTION, FIRST_KEY_TRIGGER
from app.db.models.undoing import UNDOING
from handlers.tables import metadata
from tests.conftest import fresh_database
from tests.support.stack import wait_for

# Everything that makes up a schema, as Postgres itself tells it.
CATALOGUE = {
    "columns": """
        SELECT table_name, column_name, udt_name, is_nullable, column_default, collation_name
        FROM information_schema.columns WHERE table_schema = 'public'
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    """,
    "indexes": "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "options": """
        SELECT relname, array_to_string(reloptions, ',') FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    """,
    "triggers": """
        SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger
        WHERE NOT tgisinternal
    """,
    "functions": r"""
        SELECT proname, regexp_replace(prosrc, '\s+', ' ', 'g') FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
    """,
    "sequences": "SELECT sequencename, data_type::text FROM pg_sequences",
}


def schema_of(engine: Engine) -> dict[str, set[tuple[object, ...]]]:
    with engine.connect() as connection:
        return {
            kind: {
                tuple(row) for row in connection.execute(text(query)) if row[0] != "alembic_version"
            }
            for kind, query in CATALOGUE.items()
        }


@pytest.fixture
def empty(postgres_url: str) -> Iterator[Engine]:
    with fresh_database(postgres_url) as url:
        engine = make_engine(url, name="batchline-tests")
        yield engine
        engine.dispose()


def import_tables() -> None:
    """Import the modules called `tables` of dialects and handlers, which declares what is there."""
    for package in (app.dialects, handlers.shipped):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith(".tables"):
                importlib.import_module(found.name)


def test_migrations_and_models_agree(empty: Engine, engine: Engine) -> None:
    import_tables()
    with empty.begin() as connection:
        Base.metadata.create_all(connection)
        metadata.create_all(connection)
        for made in (GUARD_FUNCTION, *GUARDS, FIRST_KEY_FUNCTION, FIRST_KEY_TRIGGER, *UNDOING):
            connection.execute(text(made))
    from_models = schema_of(empty)
    from_migrations = schema_of(engine)
    for kind, described in from_models.items():
        assert from_migrations[kind] == described, kind


def test_up_down_and_up_again(empty: Engine, engine: Engine) -> None:
    assert pending(empty)
    upgrade(empty)
    assert pending(empty) == []
    downgrade(empty, "base")
    assert not any(schema_of(empty).values())
    upgrade(empty)
    assert schema_of(empty) == schema_of(engine)


# The tables that the migration under way keeps everybody from, and had before it began.
_KEPT = text(
    """
    SELECT held.relation::regclass::text FROM pg_locks held JOIN pg_locks wanted USING (pid)
    JOIN pg_class c ON c.oid = held.relation AND c.relkind = 'r'
    WHERE wanted.relation = 'items'::regclass AND NOT wanted.granted
      AND held.granted AND held.mode = 'AccessExclusiveLock'
      AND c.relname IN ('batches', 'slices', 'workers')
    """
)


def test_it_is_done_again_where_it_was_in_the_way_of_who_worked_meanwhile(empty: Engine) -> None:
    """A worker reads items and then a table that is being migrated, which goes on to items."""
    upgrade(empty, "0007")
    with empty.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        database = connection.execute(text("SELECT current_database()")).scalar_one()
        # It is the migration that Postgres is to end.
        connection.execute(text(f"ALTER DATABASE {database} SET deadlock_timeout = '3s'"))
    empty.dispose()
    with ThreadPoolExecutor(1) as pool, empty.connect() as looking, empty.connect() as worker:
        looking.execution_options(isolation_level="AUTOCOMMIT")
        worker.execute(text("SET LOCAL deadlock_timeout = '10min'"))
        worker.execute(text("SELECT count(*) FROM items"))
        migrated = pool.submit(upgrade, empty)
        kept = wait_for(lambda: looking.execute(_KEPT).scalars().first())
        # Answered only if the migration has been given up, since it cannot have come to its end.
        worker.execute(text(f"SELECT count(*) FROM {kept}"))
        worker.rollback()
        assert "0015" in migrated.result(timeout=60)
    assert pending(empty) == []


def test_upgrading_twice_changes_nothing(engine: Engine) -> None:
    before = schema_of(engine)
    upgrade(engine)
    assert schema_of(engine) == before


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("status = 'probing'", "may not go from closed to probing"),
        ("status = 'ajar'", "may not go from closed to ajar"),
        ("status = 'open'", "open_tries_again"),
        ("by_hand = true", "opened_by_hand"),
        ("probe_at = now()", "open_tries_again"),
        ("probe_token = gen_random_uuid()", "probing_is_somebodys"),
    ],
)
def test_postgres_refuses_impossible_breakers(engine: Engine, change: str, constraint: str) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        connection.execute(text("INSERT INTO breakers (operation) VALUES ('x')"))
        with pytest.raises(IntegrityError, match=constraint):
            connection.execute(text(f"UPDATE breakers SET {change} WHERE operation = 'x'"))
        transaction.rollback()


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("status = 'SUCCESS'", "ended_has_finish"),
        ("status = 'NONSENSE'", "may not go from RUNNING"),
        ("finished_at = now()", "ended_has_finish"),
        ("status = 'SUCCESS', finished_at = now(), total = 3", "ended_is_counted"),
        ("status = 'OPEN'", "may not go from RUNNING"),
        ("completed = -1", "counts"),
        ("dry_effects = true", "effects"),
        ("phase = 'effects'", "effects"),
        ("dry_effects = true, dry_run = true, phase = 'run'", "effects"),
        ("dry_effects = true, dry_run = true, phase = 'dry'", "effects"),
    ],
)
def test_postgres_refuses_impossible_batches(engine: Engine, change: str, constraint: str) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        connection.execute(
            text(
                """
                INSERT INTO clients (id, name, api_key, secret_hash, scopes)
                VALUES (gen_random_uuid(), 'x', 'x', 'x', '{}')
                """
            )
        )
        connection.execute(
            text(
                """
                INSERT INTO batches (id, client_id, status)
                SELECT gen_random_uuid(), id, 'RUNNING' FROM clients WHERE api_key = 'x'
                """
            )
        )
        with pytest.raises(IntegrityError, match=constraint):
            connection.execute(
                text(
                    f"""
                    UPDATE batches SET {change}
                    WHERE client_id = (SELECT id FROM clients WHERE api_key = 'x')
                    """
                )
            )
        transaction.rollback()
