"""`batchline migrate --role`: processes work as a role that owns nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, event, make_url, text
from sqlalchemy.exc import ProgrammingError

from app.cli import main
from app.clients.credentials import create_client
from app.core.settings import Settings
from app.db import make_engine
from app.db.roles import grant
from tests.conftest import TEST_HANDLERS
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.usefixtures("own_processes")
PASSWORD = 'it\'s 100% "safe" \\ :x'


def migrate(url: str, *options: str, password: str = "") -> Result:
    return CliRunner(env={"DATABASE_URL": url, "ROLE_PASSWORD": password}).invoke(
        main, ["migrate", *options]
    )


@pytest.fixture(scope="module")
def role(own_engine: Engine) -> Iterator[str]:
    """A role's name, of which nothing is left afterwards."""
    name = f'Batchline "{uuid4().hex[:8]}"'
    yield name
    quoted = name.replace('"', '""')
    with own_engine.begin() as connection:
        connection.exec_driver_sql(f'DROP OWNED BY "{quoted}"')
        connection.exec_driver_sql(f'DROP ROLE "{quoted}"')


@pytest.fixture(scope="module")
def as_role(own_settings: Settings, own_engine: Engine, role: str) -> Settings:
    """Settings whose database is used as that role, which the command has made."""
    owner = own_settings.database_url or ""
    refused = migrate(owner, "--role", role)
    assert (refused.exit_code, "ROLE_PASSWORD" in refused.stderr) == (1, True)
    made = migrate(owner, "--role", role, password=PASSWORD)
    assert made.stdout == f"The schema is up to date.\nMade the role {role}.\n", made.output
    again = migrate(owner, "--role", role)
    assert again.stdout.endswith(f"The role {role} has what it needs.\n")
    url = make_url(owner).set(username=role, password=PASSWORD)
    return own_settings.with_servers(
        database_url=url.render_as_string(hide_password=False),
        redis_url=own_settings.redis_url or "",
    )


@pytest.fixture(scope="module")
def its_engine(as_role: Settings) -> Iterator[Engine]:
    engine = make_engine(as_role.database_url or "", name="batchline-tests")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def its_stack(as_role: Settings) -> Iterator[Stack]:
    with running_stack(as_role, handlers=TEST_HANDLERS) as stack:
        yield stack


def test_its_password_may_be_in_a_file(own_engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    role = f"quiet_{uuid4().hex[:8]}"
    url = own_engine.url.render_as_string(hide_password=False)
    env = {"DATABASE_URL": url, "ROLE_PASSWORD_FILE": str(tmp_path / "none")}
    lacking = CliRunner(env=env).invoke(main, ["migrate", "--role", role])
    assert (lacking.exit_code, "ROLE_PASSWORD_FILE" in lacking.stderr) == (1, True)
    made = CliRunner(env={**env, "ROLE_PASSWORD_FILE": str(file)}).invoke(
        main, ["migrate", "--role", role]
    )
    assert made.stdout.endswith(f"Made the role {role}.\n"), made.output
    its = make_engine(
        make_url(url).set(username=role, password=PASSWORD).render_as_string(hide_password=False),
        name="batchline-tests",
    )
    with its.connect() as connection:
        assert connection.execute(text("SELECT current_user")).scalar_one() == role
    its.dispose()
    with own_engine.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {role}")
        connection.exec_driver_sql(f"DROP ROLE {role}")


def test_no_statement_has_its_password(own_engine: Engine) -> None:
    """A server logs the statements that fail, and an error quotes them."""
    sent: list[str] = []

    def note(*arguments: Any) -> None:
        sent.append(f"{arguments[2]} {arguments[3]}")

    role = f"quiet_{uuid4().hex[:8]}"
    event.listen(own_engine, "before_cursor_execute", note)
    try:
        assert grant(own_engine, role, PASSWORD)
    finally:
        event.remove(own_engine, "before_cursor_execute", note)
        with own_engine.begin() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
    assert any("CREATE ROLE" in statement for statement in sent)
    assert not [statement for statement in sent if "safe" in statement]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE more (n int)",
        "DROP TABLE items",
        "ALTER TABLE batches ADD COLUMN more int",
        "TRUNCATE audit",
        "UPDATE alembic_version SET version_num = '0001'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_it_may_not_touch_the_schema(its_engine: Engine, statement: str) -> None:
    with its_engine.connect() as connection, pytest.raises(ProgrammingError) as raised:
        connection.execute(text(statement))
    assert getattr(raised.value.orig, "pgcode", None) == "42501"


def test_what_a_later_migration_makes_is_its_too(own_engine: Engine, its_engine: Engine) -> None:
    with own_engine.begin() as connection:
        connection.execute(text("CREATE TABLE later (n int GENERATED BY DEFAULT AS IDENTITY)"))
    with its_engine.begin() as connection:
        connection.execute(text("INSERT INTO later DEFAULT VALUES"))
        connection.execute(text("DELETE FROM later"))


@pytest.mark.whole
def test_processes_work_as_it(its_stack: Stack, its_engine: Engine) -> None:
    client = create_client(its_engine, "of the role")
    items = [{"do": "succeed"}] * 300 + [{"do": "reject"}] * 5
    with its_stack.http(client) as http:
        sent = http.post("/v1/batches", json={"operation": "test.bulk", "items": items})
        path = f"/v1/batches/{sent.raise_for_status().json()['id']}"
        assert its_stack.finished(http, path.rpartition("/")[2])["status"] == "PARTIAL"
        assert http.post(f"{path}/retry").status_code == 202
        assert its_stack.finished(http, path.rpartition("/")[2])["status"] == "PARTIAL"
        assert http.delete(path).status_code == 204
        assert http.get("/readyz").status_code == 200
    logs = its_stack.tail(2000)
    assert "permission denied" not in logs
    assert "InsufficientPrivilege" not in logs
