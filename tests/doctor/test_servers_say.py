"""`batchline doctor`: what servers and this machine say of themselves, and what is made of it."""

from __future__ import annotations

import os
import re
import resource
import shutil
import socketserver
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from app.core.settings import Settings
from app.db import make_engine
from app.doctor import of_postgres
from app.doctor.finding import Finding, Level
from app.doctor.of_machine import look_at_machine
from app.doctor.of_postgres import look_at_postgres
from app.doctor.of_redis import look_at_redis
from app.doctor.of_settings import look_at_settings

Usage = namedtuple("Usage", "total used free")


class _Speaker(socketserver.StreamRequestHandler):
    """Redis' protocol: to HELLO, INFO, EVAL and TIME what it was told, to everything else OK."""

    hello = b"%1\r\n+proto\r\n:3\r\n"
    info = b""
    script = b"+OK\r\n"
    ahead = 0

    def handle(self) -> None:
        while head := self.rfile.readline():
            words = []
            for _ in range(int(head[1:])):
                self.rfile.readline()
                words.append(self.rfile.readline().strip().upper())
            info = b"$%d\r\n%s\r\n" % (len(self.info), self.info)
            now = b"*2\r\n+%d\r\n+0\r\n" % (time.time() + self.ahead)
            told = {b"HELLO": self.hello, b"INFO": info, b"EVAL": self.script, b"TIME": now}
            told |= dict.fromkeys((b"PUBLISH", b"ZADD", b"SADD", b"INCR"), b":0\r\n")
            told[b"SUBSCRIBE"] = b">3\r\n+subscribe\r\n+doctor\r\n:1\r\n"
            self.wfile.write(told.get(words[0], b"+OK\r\n"))


@contextmanager
def redis_that_says(
    info: dict[str, str], hello: bytes = _Speaker.hello, **more: Any
) -> Iterator[str]:
    """The URL of a server that says so of itself."""
    lines = "".join(f"{name}:{value}\r\n" for name, value in info.items()).encode()
    speaker = type("Speaker", (_Speaker,), {"hello": hello, "info": lines, **more})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), speaker) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        server.shutdown()


def amiss(findings: Iterator[Finding]) -> list[tuple[Level, str, str]]:
    """All that is not as it should be."""
    return [(one.level, one.found, one.cure) for one in findings if one.level != Level.OK]


@pytest.mark.parametrize(
    ("info", "level", "found", "cure"),
    [
        ({"redis_version": "6.0.16"}, Level.WARNING, "release 6.0.16 is old", "6.2 or newer"),
        ({"role": "slave"}, Level.WRONG, "it is a replica", "set REDIS_URL to its primary"),
        (
            {"maxmemory": "100", "used_memory": "81"},
            Level.WARNING,
            "used most of its maxmemory",
            "raise maxmemory",
        ),
    ],
    ids=["old", "a replica", "nearly full"],
)
def test_a_redis(
    settings: Settings, info: dict[str, str], level: Level, found: str, cure: str
) -> None:
    usual = {"redis_version": "7.2.4", "role": "master", "maxmemory": "0", "used_memory": "1"}
    with redis_that_says(usual) as url:
        assert amiss(look_at_redis(replace(settings, redis_url=url))) == []
    with redis_that_says({**usual, **info}) as url:
        [said] = amiss(look_at_redis(replace(settings, redis_url=url)))
    assert (said[0], found in said[1], cure in said[2]) == (level, True, True), said


def test_a_redis_whose_user_may_not_do_what_processes_do(settings: Settings) -> None:
    refused = b"-NOPERM User web has no permissions to run the 'eval' command\r\n"
    with redis_that_says({"redis_version": "7.2.4"}, script=refused) as url:
        [said] = amiss(look_at_redis(replace(settings, redis_url=url)))
    assert (said[0], "'eval'" in said[1]) == (Level.WRONG, True)
    assert said[2].startswith("let the user of REDIS_URL do it: ACL SETUSER")


@pytest.mark.parametrize(("ahead", "word"), [(60, "behind"), (-60, "ahead of")])
def test_a_redis_whose_clock_is_another(settings: Settings, ahead: int, word: str) -> None:
    with redis_that_says({"redis_version": "7.2.4"}, ahead=ahead) as url:
        [said] = amiss(look_at_redis(replace(settings, redis_url=url)))
    assert said[0] == Level.WARNING
    assert re.fullmatch(rf"this machine is (59|60|61) s {word} Redis", said[1])


def test_a_redis_that_is_too_old_to_be_spoken_to(settings: Settings) -> None:
    """Before 6.0 there was no HELLO, by which clients begin."""
    unknown = b"-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n"
    with redis_that_says({"redis_version": "5.0.14"}, unknown) as url:
        [said] = amiss(look_at_redis(replace(settings, redis_url=url)))
    assert (said[0], "unknown command" in said[1]) == (Level.WRONG, True)
    assert said[2] == "set REDIS_URL to Redis 6.2 or newer, or to Valkey"


@pytest.mark.parametrize(
    ("said", "level", "found", "cure"),
    [
        ({"number": "130004"}, Level.WRONG, "is too old", "Postgres 14 or newer"),
        ({"connections": "90"}, Level.WARNING, "90 of 97 connections are used", "PgBouncer"),
        (
            {"clock": "extract(epoch FROM clock_timestamp()) + 60"},
            Level.WARNING,
            "this machine is 60 s behind Postgres",
            "set it by NTP",
        ),
        (
            {"clock": "extract(epoch FROM clock_timestamp()) - 60"},
            Level.WARNING,
            "this machine is 60 s ahead of Postgres",
            "set it by NTP",
        ),
    ],
    ids=["old", "full", "behind", "ahead"],
)
def test_a_postgres(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    said: dict[str, str],
    level: Level,
    found: str,
    cure: str,
) -> None:
    usual = {
        "release": "'13.4'",
        "number": "170000",
        "encoding": "'UTF8'",
        "most_connections": "97",
        "connections": "1",
        "role": "current_user",
        "schema": "'public'",
        "clock": "extract(epoch FROM clock_timestamp())",
    }
    for values, many in (usual, 0), ({**usual, **said}, 1):
        columns = ", ".join(f"{value} AS {name}" for name, value in values.items())
        monkeypatch.setattr(of_postgres, "DESCRIBE_SERVER", text(f"SELECT {columns}"))
        findings = amiss(look_at_postgres(settings))
        assert len(findings) == many, findings
    [one] = findings
    assert (one[0], found in one[1], cure in one[2]) == (level, True, True), one


def test_a_role_that_may_not_even_use_the_schema(settings: Settings) -> None:
    """It sees no table, as if nobody had ever migrated, which it could not do."""
    engine = make_engine(settings.database_url or "", name="batchline-tests")
    role = "doctor_outside"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'x'"))
        connection.execute(text("CREATE SCHEMA doctor_inside"))
    url = make_url(settings.database_url or "").set(username=role, password="x")
    url = url.update_query_dict({"options": "-csearch_path=doctor_inside"})
    try:
        given = url.render_as_string(hide_password=False)
        found = amiss(look_at_postgres(replace(settings, database_url=given)))
    finally:
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA doctor_inside"))
            connection.execute(text(f"DROP ROLE {role}"))
        engine.dispose()
    cure = f"run `batchline migrate --role {role}` as the schema's owner"
    assert found == [(Level.WRONG, "the role may use no schema of its search_path", cure)]


def test_a_machine(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = replace(settings, handlers=(), batchline_home=tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9, 9, 1 << 30))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    found = amiss(look_at_machine(here))
    assert [(one[0], one[2].split(":")[0]) for one in found] == [
        (Level.WARNING, "make room"),
        (Level.WARNING, "make room"),
        (Level.WARNING, "raise the limit (ulimit -Hn, LimitNOFILE=)"),
    ]
    assert f"BATCHLINE_HOME {tmp_path} has 1.0 GiB free" in found[1][1]
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = amiss(look_at_machine(here))
    assert [one[:1] + one[2:] for one in found][:2] == [(Level.WRONG, "give it to this user")] * 2


def test_what_is_sent_again_before_anybody_could_have_taken_it(settings: Settings) -> None:
    hasty = replace(settings, webhook_allow_private=False, resend_after=1.0, sweep_interval=1.0)
    [said] = amiss(look_at_settings(hasty, {}))
    assert (said[0], said[2]) == (Level.WARNING, "leave RESEND_AFTER at its default")
