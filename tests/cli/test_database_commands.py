"""migrate and clients: on a database that is given, and on the embedded one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from app.cli import main
from app.clients.checks import DEFAULT_SCOPES
from app.clients.credentials import find_caller
from app.core.envfile import write_env
from app.core.settings import load_settings
from app.db import make_engine
from app.local.servers import start_postgres
from tests.conftest import fresh_database


@pytest.fixture(scope="module")
def url(postgres_url: str) -> Iterator[str]:
    with fresh_database(postgres_url) as url:
        yield url


def run(url: str, *args: str) -> Result:
    return CliRunner(env={"DATABASE_URL": url}).invoke(main, list(args))


@pytest.mark.parametrize("command", [("migrate",), ("migrate", "--check"), ("clients", "list")])
def test_a_database_that_is_not_there_is_told_in_a_line(command: tuple[str, ...]) -> None:
    result = run("postgresql://nobody:hidden@127.0.0.1:1/none", *command)
    assert result.exit_code == 1
    [line] = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert command[0] != "migrate" or "connection to server at" in line
    assert "hidden" not in line


def test_what_may_not_be_done_is_told_in_a_line(url: str) -> None:
    """Postgres refuses: the migrations' first statement needs the schema that is not there."""
    with fresh_database(url) as other:
        engine = make_engine(other, name="tests")
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public"))
        engine.dispose()
        result = run(other, "migrate")
    assert result.exit_code == 1
    [line] = result.stderr.splitlines()
    assert line.startswith("Error: Postgres: ")
    assert "LINE" not in line  # where in our statement it is helps nobody


def test_migrate_brings_the_schema_up_once(url: str) -> None:
    behind = run(url, "migrate", "--check")
    assert behind.exit_code == 1
    assert "the schema lacks" in behind.stderr
    first = run(url, "migrate")
    assert first.exit_code == 0, first.output
    assert first.stdout.startswith("Applied ")
    for args in (["migrate"], ["migrate", "--check"]):
        again = run(url, *args)
        assert (again.exit_code, again.stdout) == (0, "The schema is up to date.\n")


@pytest.mark.parametrize(
    ("revision", "why"),
    [
        ("0005", "The schema is at revision {head}, which is newer than 0005."),
        ("base", "There is no revision 'base'."),
        ("9999", "There is no revision '9999'."),
        ("nonsense; DROP", "There is no revision 'nonsense; DROP'."),
        ("-1", "There is no revision '-1'."),
    ],
)
@pytest.mark.parametrize("options", [[], ["--check"]])
def test_migrate_only_goes_up(
    database_url: str, revision: str, why: str, options: list[str]
) -> None:
    before = revision_of(database_url)
    result = run(database_url, "migrate", *options, f"--revision={revision}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: {why.format(head=before)}\n"
    assert revision_of(database_url) == before


def test_migrate_on_the_schema_of_a_newer_release(postgres_url: str) -> None:
    with fresh_database(postgres_url) as url:
        assert run(url, "migrate").exit_code == 0
        head = revision_of(url)
        revision_of(url, now="9999")
        for options in ([], ["--check"], ["--revision", head]):
            result = run(url, "migrate", *options)
            assert (result.exit_code, result.stdout) == (1, "")
            assert result.stderr == (
                "Error: The schema is at revision 9999, which is newer than this release knows.\n"
            )
        assert revision_of(url) == "9999"


def test_migrate_goes_up_to_a_revision(postgres_url: str) -> None:
    with fresh_database(postgres_url) as url:
        first = run(url, "migrate", "--revision", "0002")
        assert (first.exit_code, first.stdout) == (0, "Applied 0001, 0002.\n")
        assert run(url, "migrate", "--revision", "0002").stdout == "The schema is up to date.\n"
        behind = run(url, "migrate", "--check", "--revision", "0003")
        assert (behind.exit_code, behind.stderr) == (1, "Error: the schema lacks 0003\n")
        assert run(url, "migrate").exit_code == 0


def revision_of(url: str, *, now: str | None = None) -> str:
    """The revision that the database says it is at; `now`: after it is made to say so."""
    engine = make_engine(load_settings({"DATABASE_URL": url}).database_url or "", name="tests")
    with engine.begin() as connection:
        if now is not None:
            connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": now})
        found = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
    engine.dispose()
    return found


def test_the_life_of_a_client(database_url: str) -> None:
    name = f"shop {uuid4()}"
    made = json.loads(run(database_url, "clients", "create", name, "--json").stdout)
    assert set(made) == {"clientId", "apiKey", "secret", "scopes", "keyId"}
    assert made["scopes"] == list(DEFAULT_SCOPES)
    assert works(database_url, made["secret"])

    listed = json.loads(run(database_url, "clients", "list", "--json").stdout)
    [entry] = [entry for entry in listed if entry["name"] == name]
    assert entry["clientId"] == made["clientId"]
    assert entry["revokedAt"] is None
    assert "secret" not in entry
    assert name in run(database_url, "clients", "list").stdout

    rotated = json.loads(run(database_url, "clients", "rotate", made["clientId"], "--json").stdout)
    assert (rotated["clientId"], rotated["apiKey"]) == (made["clientId"], made["apiKey"])
    assert not works(database_url, made["secret"])
    assert works(database_url, rotated["secret"])

    assert run(database_url, "clients", "revoke", made["clientId"]).exit_code == 0
    assert not works(database_url, rotated["secret"])
    assert run(database_url, "clients", "revoke", made["clientId"]).exit_code == 1


def test_the_life_of_a_key(database_url: str) -> None:
    name = f"shop {uuid4()}"
    client = json.loads(run(database_url, "clients", "create", name, "--json").stdout)
    options = ["--name", "till", "--scope", "batches.read", "--expires", "90d"]
    options += ["--network", "192.0.2.0/24", "--network", "::1", "--operation", "catalog.*"]
    made = json.loads(run(database_url, "keys", "create", name, *options, "--json").stdout)
    assert set(made) == set(client)
    assert (made["clientId"], made["scopes"]) == (client["clientId"], ["batches.read"])
    assert not {made[each] for each in ("keyId", "apiKey", "secret")} & set(
        map(str, client.values())
    )
    assert works(database_url, made["secret"])

    by_id = run(database_url, "keys", "list", client["clientId"], "--json").stdout
    assert by_id == run(database_url, "keys", "list", name, "--json").stdout
    first, entry = json.loads(by_id)
    assert (first["keyId"], first["apiKey"]) == (client["keyId"], client["apiKey"])
    assert (first["expiresAt"], first["networks"], first["operations"]) == (None, [], [])
    assert entry["name"] == "till"
    assert entry["networks"] == ["192.0.2.0/24", "::1/128"]
    assert entry["operations"] == ["catalog.*"]
    assert entry["expiresAt"] > entry["createdAt"]
    assert made["secret"] not in by_id
    shown = run(database_url, "keys", "list", name).stdout
    assert "active until" in shown
    assert "192.0.2.0/24 ::1/128" in shown

    assert run(database_url, "keys", "revoke", made["keyId"]).exit_code == 0
    assert not works(database_url, made["secret"])
    assert works(database_url, client["secret"])
    assert run(database_url, "keys", "revoke", made["keyId"]).exit_code == 1
    assert "revoked" in run(database_url, "keys", "list", name).stdout


def test_every_command_takes_a_name_or_an_id(database_url: str) -> None:
    name = f"shop {uuid4()}"
    made = json.loads(run(database_url, "clients", "create", name, "--json").stdout)
    again = run(database_url, "clients", "create", name)
    assert (again.exit_code, again.stdout) == (1, "")
    assert f"There is a client {name!r} already. (NAME)" in again.stderr
    rotated = json.loads(
        run(database_url, "clients", "rotate", name, "--overlap", "24h", "--json").stdout
    )
    assert works(database_url, made["secret"])
    assert works(database_url, rotated["secret"])
    last = json.loads(run(database_url, "clients", "rotate", name, "--json").stdout)
    assert [works(database_url, each["secret"]) for each in (made, rotated, last)] == [
        False,
        False,
        True,
    ]
    assert {each["keyId"] for each in (made, rotated, last)} == {made["keyId"]}
    assert run(database_url, "clients", "revoke", name).exit_code == 0
    assert not works(database_url, last["secret"])
    for command in (["rotate"], ["revoke"]):
        assert run(database_url, "clients", *command, name).exit_code == 1
    assert run(database_url, "keys", "create", name).exit_code == 1
    unknown = run(database_url, "keys", "list", "nobody of that name")
    assert unknown.stderr == "Error: There is no client 'nobody of that name'.\n"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--scope", "everything"], "--scope"),
        (["--network", "10.0.0.1/8"], "--network"),
        (["--network", "here"], "--network"),
        (["--operation", "a b"], "--operation"),
        (["--expires", "tomorrow"], "--expires"),
        (["--expires", "1.5h"], "--expires"),
        (["--expires", "0s"], "--expires"),
        (["--name", ""], "--name"),
    ],
)
def test_a_wrong_value_names_its_option(database_url: str, options: list[str], named: str) -> None:
    name = f"shop {uuid4()}"
    run(database_url, "clients", "create", name)
    result = run(database_url, "keys", "create", name, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Invalid value for '{named}'" in result.stderr
    assert len(json.loads(run(database_url, "keys", "list", name, "--json").stdout)) == 1
    assert run(database_url, "clients", "rotate", name, "--overlap", "1w").exit_code == 2


def test_create_grants_what_it_is_told(database_url: str) -> None:
    scopes = ["--scope", "batches.read", "--scope", "supplier/bulk.read"]
    result = run(database_url, "clients", "create", "reader", *scopes)
    assert "batches.read supplier/bulk.read" in result.stdout
    assert "secret     bls_" in result.stdout
    unknown = run(database_url, "clients", "create", "reader", "--scope", "everything")
    assert unknown.exit_code == 1
    assert unknown.stderr.startswith("Error: Unknown scope 'everything'")
    assert "--scope" in unknown.stderr


def test_errors_are_clean() -> None:
    nowhere = run("postgresql://batchline@127.0.0.1:1/none", "clients", "list")
    assert nowhere.exit_code == 1
    assert nowhere.stderr == "Error: The database is not reachable just now.\n"
    assert run("nonsense", "migrate").stderr.startswith("Error: DATABASE_URL: ")
    assert run("postgresql://h/d", "keys", "revoke", "x").exit_code == 2


@pytest.mark.usefixtures("own_processes")
def test_the_embedded_database_is_used_if_no_other_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    runner = CliRunner(env={"BATCHLINE_HOME": str(home)})
    nothing = runner.invoke(main, ["clients", "list"])
    assert nothing.exit_code == 1
    assert nothing.stderr.startswith("Error: DATABASE_URL: not set")
    assert not home.exists()

    start_postgres(home).stop()
    # Not running: it is started for the command.
    assert runner.invoke(main, ["migrate"]).exit_code == 0
    # Running, as the file that `batchline serve` writes says.
    with start_postgres(home) as server:
        write_env(home, {"DATABASE_URL": server.url, "PATH": "/some bin"})
        made = runner.invoke(main, ["clients", "create", "x", "--json"])
        assert made.exit_code == 0, made.output
        assert works(server.url, json.loads(made.stdout)["secret"])


def works(url: str, secret: str) -> bool:
    engine = make_engine(
        load_settings({"DATABASE_URL": url}).database_url or "", name="batchline-tests"
    )
    try:
        with engine.connect() as connection:
            return find_caller(connection, secret) is not None
    finally:
        engine.dispose()
