"""What holds for every session, however it is connected: settings, encoding, PgBouncer between."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, make_url, text

from app.clients.credentials import create_client
from app.core.errors import SettingsError
from app.core.settings import Settings, load_settings
from app.db import make_engine, transaction
from app.db.migrations import upgrade
from app.local.serve.preflight import check_given_servers
from app.local.servers.ports import free_port
from tests.conftest import TEST_HANDLERS, fresh_database
from tests.support.receiver import receiving
from tests.support.stack import running_stack, wait_for

SHOWN = {
    "TimeZone": "UTC",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "1min",
    "jit": "off",
    "client_encoding": "UTF8",
}


def shown(engine: Engine) -> dict[str, str]:
    with transaction(engine) as connection:
        return {name: connection.execute(text(f"SHOW {name}")).scalar_one() for name in SHOWN}


def test_sessions_are_set_up(empty_database_url: str) -> None:
    engine = make_engine(empty_database_url, name="tests")
    assert shown(engine) == SHOWN
    engine.dispose()


def test_the_environment_s_encoding_changes_nothing(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    engine = make_engine(empty_database_url, name="tests")
    assert shown(engine) == SHOWN
    with transaction(engine) as connection:
        sent = "zażółć 漢字 \U0001f600"
        assert connection.execute(text("SELECT :sent"), {"sent": sent}).scalar() == sent
    engine.dispose()


def test_options_of_the_url_are_kept(empty_database_url: str) -> None:
    url = make_url(empty_database_url).update_query_dict({"options": "-c work_mem=7MB"})
    engine = make_engine(url.render_as_string(hide_password=False), name="tests")
    assert shown(engine) == SHOWN
    with transaction(engine) as connection:
        assert connection.execute(text("SHOW work_mem")).scalar() == "7MB"
    engine.dispose()


def test_a_database_of_another_encoding_is_refused(postgres_url: str) -> None:
    with fresh_database(postgres_url) as url:
        server = make_engine(url, name="tests", isolation_level="AUTOCOMMIT")
        name = f"{make_url(url).database}_latin1"
        with server.connect() as connection:
            connection.execute(
                text(
                    f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' "
                    "LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'"
                )
            )
        latin = make_url(url).set(database=name).render_as_string(hide_password=False)
        engine = make_engine(latin, name="tests")
        try:
            with pytest.raises(SettingsError, match=r"^DATABASE_URL: .*LATIN1"):
                upgrade(engine)
            with pytest.raises(SettingsError, match=r"^DATABASE_URL: .*LATIN1"):
                check_given_servers(load_settings({"DATABASE_URL": latin}))
        finally:
            engine.dispose()
            with server.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            server.dispose()


@pytest.fixture
def through_pgbouncer(postgres_url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a new database behind a PgBouncer in transaction mode, with few connections."""
    with fresh_database(postgres_url) as url:
        server, port = make_url(url), free_port()
        config = tmp_path / "pgbouncer.ini"
        config.write_text(
            f"""
            [databases]
            {server.database} = host={server.host} port={server.port} user={server.username} \
password={server.password}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = 8
            max_client_conn = 500
            """.replace("            ", "")
        )
        command = ["pgbouncer", str(config)]
        if os.geteuid() == 0:  # it does not run as root
            command[1:1] = ["-u", "nobody"]
        with (tmp_path / "pgbouncer.log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        behind = server.set(port=port).render_as_string(hide_password=False)
        engine = make_engine(behind, name="tests")

        def answers() -> bool:
            assert process.poll() is None, (tmp_path / "pgbouncer.log").read_text()
            try:
                with engine.connect():
                    return True
            except Exception:
                return False

        try:
            wait_for(answers, within=20)
            yield behind
        finally:
            engine.dispose()
            process.terminate()
            process.wait(20)


@pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="no pgbouncer on the PATH")
@pytest.mark.usefixtures("own_processes")
def test_everything_works_through_pgbouncer_in_transaction_mode(
    through_pgbouncer: str, settings: Settings
) -> None:
    engine = make_engine(through_pgbouncer, name="tests", pool_size=3)
    assert shown(engine) == SHOWN
    upgrade(engine)
    client = create_client(engine, "through PgBouncer")
    redis_url = urlsplit(settings.redis_url or "")._replace(path="/14").geturl()
    given = load_settings({"DATABASE_URL": through_pgbouncer, "REDIS_URL": redis_url})
    own = replace(settings, database_url=given.database_url, redis_url=given.redis_url)
    with (
        receiving() as receiver,
        running_stack(own, handlers=TEST_HANDLERS) as stack,
        stack.http(client) as http,
    ):
        http.post("/v1/webhooks", json={"url": receiver.url}).raise_for_status()
        batches = []
        for operation in ("test.bulk", "test.probe", "test.slow"):
            items = [{"do": "succeed", "key": f"{number % 50}"} for number in range(300)]
            request = {"operation": operation, "items": [*items, {"do": "reject"}]}
            batches.append(http.post("/v1/batches", json=request).raise_for_status().json()["id"])
        for batch_id in batches:
            ended = stack.finished(http, batch_id)
            assert ended["status"] == "PARTIAL"
            assert ended["summary"]["completed"] == 300
        receiver.wait_for(len(batches))
    engine.dispose()
