"""`batchline doctor`: a user of Redis who may not do what processes do, on a server that has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from redis import Redis
from sqlalchemy import Engine

from app.clients.credentials import create_client
from app.core.settings import Settings
from app.doctor.finding import Level
from app.doctor.of_broker import look_at_broker
from app.doctor.of_redis import look_at_redis
from tests.conftest import TEST_HANDLERS, other_redis
from tests.doctor.test_servers_say import amiss
from tests.support.stack import running_stack

# What the cure says that a user is to have.
USUAL = "~* &* +@all -@dangerous +info"


@pytest.fixture
def as_user(settings: Settings) -> Iterator[Callable[[str], Settings]]:
    """Settings that name a user with those rights."""
    url = other_redis(settings)
    name = f"doctor-{uuid4().hex[:8]}"
    parts = urlsplit(url)
    its = parts._replace(netloc=f"{name}:x@{parts.hostname}:{parts.port}").geturl()

    with Redis.from_url(url) as admin:

        def given(rights: str) -> Settings:
            admin.execute_command("ACL", "SETUSER", name, "reset", "on", ">x", *rights.split())
            return replace(settings, redis_url=its, explicit_broker_url=None)

        yield given
        admin.execute_command("ACL", "DELUSER", name)


def test_who_has_what_the_cure_says_is_well_and_nothing_is_left(
    as_user: Callable[[str], Settings],
) -> None:
    user = as_user(USUAL)
    assert amiss(look_at_redis(user)) == []
    assert amiss(look_at_broker(user)) == []
    with Redis.from_url(user.redis_url or "") as there:
        assert there.dbsize() == 0


@pytest.mark.parametrize(
    ("lacks", "named"),
    [
        ("-eval", "eval"),
        ("-publish", "publish"),
        ("-subscribe", "subscribe"),
        ("-hincrby", "hincrby"),
        ("-hgetall", "hgetall"),
        ("-@list", "LPUSH"),
        ("-@blocking", "brpop"),
        ("-@sortedset", "zadd"),
        ("-@set", "SADD"),
        ("-set", "set"),
    ],
)
def test_each_thing_that_is_lacking_is_named(
    as_user: Callable[[str], Settings], lacks: str, named: str
) -> None:
    [(level, found, cure)] = amiss(look_at_redis(as_user(f"{USUAL} {lacks}")))
    assert level == Level.WRONG
    assert named.lower() in found.lower()
    assert cure == f"let the user of REDIS_URL do it: ACL SETUSER … {USUAL}"


@pytest.mark.parametrize("rights", ["~batchline:* &* +@all", f"{USUAL} resetchannels"])
def test_keys_and_channels_of_others_too(as_user: Callable[[str], Settings], rights: str) -> None:
    [(level, _, cure)] = amiss(look_at_redis(as_user(rights)))
    assert (level, "ACL SETUSER" in cure) == (Level.WRONG, True)


@pytest.mark.parametrize("rights", ["~batchline:* &* +@all", f"{USUAL} -rpop", f"{USUAL} -lpush"])
def test_a_broker_that_lets_nobody_send_or_take(
    as_user: Callable[[str], Settings], rights: str
) -> None:
    [(level, found, cure)] = amiss(look_at_broker(as_user(rights)))
    assert (level, "permissions" in found) == (Level.WRONG, True)
    assert cure == f"let the user of BROKER_URL (or REDIS_URL) do it: ACL SETUSER … {USUAL}"


def test_a_user_who_may_not_ask_how_it_is(as_user: Callable[[str], Settings]) -> None:
    [(level, found, cure)] = amiss(look_at_redis(as_user("~* &* +@all -@dangerous")))
    assert (level, "'info'" in found) == (Level.WRONG, True)
    assert cure.endswith(USUAL)


@pytest.mark.whole
def test_processes_work_as_such_a_user(
    as_user: Callable[[str], Settings],
    own_settings: Settings,
    own_engine: Engine,
    own_processes: None,
) -> None:
    its = replace(own_settings, redis_url=as_user(USUAL).redis_url)
    client = create_client(own_engine, "of a user of Redis")
    # More than one slice, so that there are chords; and one that waits in the slow line.
    batches = {"test.bulk": [{"do": "succeed"}] * 1_500, "demo.sleep": [{"seconds": 0}]}
    with running_stack(its, handlers=TEST_HANDLERS) as stack, stack.http(client) as http:
        for operation, items in batches.items():
            made = http.post("/v1/batches", json={"operation": operation, "items": items})
            batch_id = made.raise_for_status().json()["id"]
            assert stack.finished(http, batch_id)["status"] == "SUCCESS"
        assert http.get("/readyz").status_code == 200
        assert http.get("/metrics").status_code == 200
        logs = stack.tail(2000).lower()
    assert "noperm" not in logs
    assert "no permissions" not in logs
