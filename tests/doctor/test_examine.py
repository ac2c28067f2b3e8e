"""`batchline doctor`: each thing that can be wrong is named, by itself, with what helps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner
from redis import Redis
from sqlalchemy import URL, Engine, make_url, text

from app.cli import main
from app.core.settings import Settings
from app.db import make_engine
from app.db.migrations import upgrade
from app.doctor import examine
from app.doctor.connecting import cure_of
from app.doctor.finding import Finding, Level
from app.doctor.of_settings import look_at_settings
from app.local.servers.ports import free_port
from tests.conftest import TEST_HANDLERS, fresh_database
from tests.handlers.test_outside_package import installed
from tests.support.stack import Stack, wait_for

ROOT = Path(__file__).parents[2]


def wrongs(settings: Settings) -> dict[str, list[str]]:
    """What is wrong, and how it is cured, by what it is about."""
    found: dict[str, list[str]] = {}
    for finding in examine(settings):
        assert bool(finding.cure) == (finding.level != Level.OK), finding
        assert "\n" not in finding.found + finding.cure
        if finding.level == Level.WRONG:
            found.setdefault(finding.about, []).append(f"{finding.found}: {finding.cure}")
    return found


def told(stack: Stack, handlers: str = TEST_HANDLERS) -> list[dict[str, str]]:
    """What the command says in a process of its own, which has no other tests' operations."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("batchline")), "doctor", "--json"],
        env={**stack.environ, "HANDLERS": handlers},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found: list[dict[str, str]] = json.loads(done.stdout)
    assert done.returncode == any(one["level"] == "wrong" for one in found), done.stderr
    return found


def test_a_system_that_runs_is_well(stack: Stack) -> None:
    found: list[dict[str, str]] = []

    def well() -> bool:
        found[:] = told(stack)
        return not any(one["level"] == "wrong" for one in found)

    wait_for(well, within=60, what=lambda: str(found))
    abouts = {one["about"] for one in found}
    assert {"settings", "machine", "handlers", "Postgres", "clock", "schema", "Redis"} < abouts
    assert {"broker", "workers", "sweep"} < abouts


def test_nobody_works(own_settings: Settings, own_engine: Engine) -> None:
    found = wrongs(own_settings)
    assert found.keys() == {"workers", "sweep"}
    said = "\n".join(found["workers"])
    for part in ("none lives", "none takes from the queue fast", "none takes from the queue slow"):
        assert part in said
    assert "beat" in found["sweep"][0]


def test_workers_lack_an_operation(stack: Stack) -> None:
    found = told(stack, f"{TEST_HANDLERS},tests.doctor.only_here")
    [lacking] = [one["found"] for one in found if one["level"] == "wrong"]
    assert lacking == "no live worker has doctor.only_here"


@pytest.fixture
def unused() -> int:
    return free_port()


def test_servers_that_are_away_are_named_each(settings: Settings, unused: int) -> None:
    nowhere = replace(
        settings.with_servers(
            database_url=f"postgresql://127.0.0.1:{unused}/none",
            redis_url=f"redis://127.0.0.1:{unused}/0",
        )
    )
    found = wrongs(nowhere)
    assert found.keys() == {"Postgres", "Redis", "broker"}
    assert "DATABASE_URL" in found["Postgres"][0]
    assert "REDIS_URL" in found["Redis"][0]
    none = replace(settings, database_url=None, redis_url=None)
    assert {"Postgres", "Redis", "broker", "workers"} == wrongs(none).keys()


@pytest.mark.parametrize(
    ("wrong", "cure"),
    [
        (lambda url: url.set(password="wrong"), "user and password right in DATABASE_URL"),
        (lambda url: url.set(database="nosuch"), "CREATE DATABASE"),
    ],
    ids=["password", "database"],
)
def test_why_postgres_lets_nobody_in_says_what_helps(
    settings: Settings, postgres_url: str, wrong: Callable[[URL], URL], cure: str
) -> None:
    url = wrong(make_url(postgres_url)).render_as_string(hide_password=False)
    [found] = wrongs(replace(settings, database_url=make_settings_url(url)))["Postgres"]
    assert cure in found
    assert "start it" not in found


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("invalid username-password pair or user is disabled.", "user and password right in X"),
        ("Authentication required.", "put the password into X"),
        ("HELLO must be called with the client already authenticated", "put the password into X"),
        ("Basic.Login: (403) ACCESS_REFUSED - Login was refused", "user and password right in X"),
        (
            "Connection.open: (403) ACCESS_REFUSED - Login was refused using authentication "
            "mechanism AMQPLAIN. For details see the broker logfile.",
            "user and password right in X",
        ),
        (
            "Queue.declare: (403) ACCESS_REFUSED - access to queue 'control' in vhost '/' refused "
            "for user 'shop'",
            "rabbitmqctl set_permissions",
        ),
        (
            "Connection.open: (530) NOT_ALLOWED - access to vhost '/' refused for user 'shop'",
            "rabbitmqctl set_permissions",
        ),
        ("Connection.open: (530) NOT_ALLOWED - vhost shop not found", "rabbitmqctl add_vhost"),
        ("User shop has no permissions to run the 'info' command", "let the user of X do it: ACL"),
        ("MISCONF Redis is configured to save RDB snapshots", "cannot save to its disk"),
        ("DB index is out of range", "the number at the end of X"),
        ("Error -2 connecting to a:6379. Name or service not known.", "host's name right in X"),
        ('FATAL: permission denied for database "other"', "GRANT CONNECT"),
        ("FATAL: sorry, too many clients already", "max_connections"),
        ("FATAL: no pg_hba.conf entry for host", "pg_hba.conf"),
        ("session is read-only", "let X lead to the primary"),
        ('FATAL: role "shop" does not exist', "make the role (CREATE ROLE"),
        ('FATAL: role "shop" is not permitted to log in', "ALTER ROLE … LOGIN"),
        ('FATAL: database "shop" does not exist', "CREATE DATABASE"),
        ("Connection refused", "start it, or set X to where it is"),
    ],
)
def test_what_helps_is_told_by_what_a_server_says(said: str, cure: str) -> None:
    assert cure in cure_of(said, "X")


def test_a_schema_that_is_behind(settings: Settings, postgres_url: str) -> None:
    with fresh_database(postgres_url) as url:
        found = wrongs(replace(settings, database_url=make_settings_url(url)))
    [schema] = found["schema"]
    assert "batchline migrate" in schema


def make_settings_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


@pytest.fixture
def migrated(postgres_url: str) -> Iterator[str]:
    with fresh_database(postgres_url) as url:
        engine = make_engine(url, name="batchline-tests")
        upgrade(engine)
        engine.dispose()
        yield make_settings_url(url)


def test_a_schema_of_a_newer_release(settings: Settings, migrated: str) -> None:
    engine = make_engine(migrated, name="batchline-tests")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    [found] = wrongs(replace(settings, database_url=migrated))["schema"]
    assert "newer than this release knows" in found


def test_a_role_that_may_not(settings: Settings, migrated: str) -> None:
    engine = make_engine(migrated, name="batchline-tests")
    role = f"doctor_{make_url(migrated).database}"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'x'"))
        connection.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"))
        connection.execute(text(f"GRANT INSERT, UPDATE, DELETE ON batches TO {role}"))
    try:
        url = make_url(migrated).set(username=role, password="x")
        given = url.render_as_string(hide_password=False)
        [found] = wrongs(replace(settings, database_url=given))["Postgres"]
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))
        engine.dispose()
    assert "may not read and write" in found
    for forbidden, named in (("items", True), ("batches", False), ("alembic_version", False)):
        assert (f" {forbidden}" in found.split(": ")[0]) is named
    # As it can be typed.
    assert found.endswith(f"run `batchline migrate --role {role}` as the schema's owner")


def test_a_server_that_takes_no_writes(settings: Settings, migrated: str) -> None:
    engine = make_engine(migrated, name="batchline-tests", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        name = make_url(migrated).database
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    engine.dispose()
    [found] = wrongs(replace(settings, database_url=migrated))["Postgres"]
    assert "session is read-only: let DATABASE_URL lead to the primary" in found


def test_a_database_that_is_not_utf8(settings: Settings, postgres_url: str) -> None:
    name = "doctor_ascii"
    connection = psycopg2.connect(make_url(postgres_url).set(drivername="postgresql")
                                  .render_as_string(hide_password=False))  # fmt: skip
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'")
    try:
        url = make_url(make_settings_url(postgres_url)).set(database=name)
        given = url.render_as_string(hide_password=False)
        [found] = wrongs(replace(settings, database_url=given))["Postgres"]
        assert "SQL_ASCII" in found
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.close()


def test_a_redis_that_throws_keys_away(own_settings: Settings, own_engine: Engine) -> None:
    with Redis.from_url(own_settings.redis_url or "") as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
        try:
            found = wrongs(own_settings)
            # A broker of its own is the one that has the messages.
            assert "broker" not in found
            elsewhere = f"{(own_settings.redis_url or '').rpartition('/')[0]}/7"
            found["broker"] = wrongs(replace(own_settings, explicit_broker_url=elsewhere))["broker"]
        finally:
            redis.config_set("maxmemory-policy", "noeviction")
    for [said] in found["Redis"], found["broker"]:
        assert "allkeys-lru" in said
        assert said.endswith("set maxmemory-policy to noeviction")


def test_a_package_whose_handlers_cannot_be_loaded(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path, module="import nowhere_at_all"))
    for name in ("acme_batchline", "acme_batchline.orders"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    found = wrongs(replace(settings, handlers=()))
    assert "of the installed package acme-batchline" in found["machine"][0]


def test_handlers_that_cannot_be_loaded(settings: Settings) -> None:
    found = wrongs(replace(settings, handlers=("no_such_module",)))
    assert "HANDLERS" in found["machine"][0]


def doubts(settings: Settings, environ: dict[str, str]) -> list[Finding]:
    return [one for one in look_at_settings(settings, environ) if one.level != Level.OK]


def test_settings_that_nobody_means(settings: Settings) -> None:
    safe = replace(settings, webhook_allow_private=False)
    assert (
        doubts(safe, {"PATH": "/bin", "WORKER_CONCURRENCY": "2", "PORTS": "1", "port": "2"}) == []
    )
    [misspelt] = doubts(safe, {"WORKER_CONCURENCY": "2"})
    assert (misspelt.found, misspelt.cure) == (
        "WORKER_CONCURENCY is no setting",
        "perhaps WORKER_CONCURRENCY is meant",
    )
    [metrics] = doubts(replace(safe, bind_host="0.0.0.0"), {})
    assert metrics.cure == "set METRICS_TOKEN"
    [webhooks] = doubts(settings, {})
    assert "WEBHOOK_ALLOW" in webhooks.cure
    [flower] = doubts(replace(safe, flower_address="0.0.0.0"), {})
    assert flower.level == Level.WRONG


def test_the_command(own_settings: Settings, own_engine: Engine) -> None:
    environ = {
        "DATABASE_URL": own_settings.database_url or "",
        "REDIS_URL": own_settings.redis_url or "",
        "BATCHLINE_HOME": str(own_settings.batchline_home),
    }
    run = CliRunner(env=environ)
    for_people = run.invoke(main, ["doctor"])
    assert for_people.exit_code == 1
    lines = for_people.stdout.splitlines()
    assert "wrong    workers    none lives: start the Procfile's lines worker and slow" in lines
    assert all(line.split()[0] in ("ok", "warning", "wrong") for line in lines)
    where_logs_are_collected = run.invoke(main, ["doctor"], env={"LOG_FORMAT": "json"})
    assert "wrong    workers    none lives: start the Procfile's lines worker and slow" in (
        where_logs_are_collected.stdout.splitlines()
    )
    for_programs = run.invoke(main, ["doctor", "--json"])
    assert for_programs.exit_code == 1
    assert {
        "level": "wrong",
        "about": "workers",
        "found": "none lives",
        "cure": "start the Procfile's lines worker and slow",
    } in (json.loads(for_programs.stdout))
