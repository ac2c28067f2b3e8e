"""The sender: threads of its own, few of them for one client, and an end in good time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpcore
import pytest
from redis import Redis
from sqlalchemy import Engine
from structlog.testing import capture_logs

from app.clients.credentials import create_client
from app.events.notify import notify_senders
from app.webhooks.claiming import MOST_OF_CLIENT
from app.webhooks.resolving import MOST_OF_ONE, DeadlineExceeded, Resolver
from app.webhooks.sender import Sender
from tests.conftest import engine_of_its_own
from tests.support.receiver import Reply, receiving
from tests.support.stack import wait_for
from tests.webhooks.hooked import ANYWHERE, Hooked

# Seconds that a hanging receiver takes, longer than any of these tests waits for the others.
HANGS = 8.0


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    """An engine on a database of the test's own: nothing is due but what it makes so."""
    with engine_of_its_own(postgres_url) as engine:
        yield engine


@contextmanager
def sending(engine: Engine, *, redis: Redis | None = None, **options: Any) -> Iterator[Sender]:
    sender = Sender(engine, allowed=ANYWHERE, **options)
    sender.start(redis)
    try:
        yield sender
    finally:
        sender.close(0)
        sender._threads.shutdown(wait=True)


def hooked(engine: Engine, url: str, deliveries: int = 1, *, webhooks: int = 1) -> Hooked:
    client = create_client(engine, f"test {uuid4()}")
    made = [Hooked(engine, client, url) for _ in range(webhooks)]
    made[0].record(deliveries)
    return made[0]


@pytest.mark.whole
@pytest.mark.parametrize("most", [8, 64])
def test_hanging_receivers_of_one_client_hold_nobody_else_up(engine: Engine, most: int) -> None:
    with (
        receiving(lambda _: Reply(wait=HANGS)) as hanging,
        receiving() as quick,
        sending(engine, most=most) as sender,
    ):
        hooked(engine, hanging.url, 2, webhooks=50)
        sender.look()
        hanging.wait_for(MOST_OF_CLIENT)
        begun = time.monotonic()
        for _ in range(3):
            hooked(engine, quick.url, 4)
        sender.look()
        quick.wait_for(12, within=HANGS)
        assert time.monotonic() - begun < 2
        assert len(hanging.received) == hanging.most_at_once == MOST_OF_CLIENT


@pytest.mark.whole
def test_a_last_part_of_the_threads_is_for_those_who_have_none(engine: Engine) -> None:
    """Two clients could have all eight threads: they get six, and one more each at most."""
    with (
        receiving(lambda _: Reply(wait=HANGS)) as hanging,
        receiving() as quick,
        sending(engine, most=8) as sender,
    ):
        for _ in range(2):
            hooked(engine, hanging.url, 10)
        sender.look()
        hanging.wait_for(6)
        hooked(engine, quick.url)
        sender.look()
        quick.wait_for(1, within=HANGS / 2)
        assert hanging.most_at_once == 6


def test_a_freed_thread_takes_what_waits(engine: Engine) -> None:
    """Nobody says anything again: the end of each try is enough."""
    with receiving(lambda _: Reply(wait=0.01)) as receiver, sending(engine, most=8) as sender:
        hooked(engine, receiver.url, 40)
        sender.look()
        receiver.wait_for(40)
        assert receiver.most_at_once <= MOST_OF_CLIENT


def test_it_looks_when_it_is_told_over_redis(engine: Engine, redis_url: str) -> None:
    def listening() -> bool:
        return any(thread.name == "webhook-calls" for thread in threading.enumerate())

    with Redis.from_url(redis_url, db=13) as redis, receiving() as receiver:
        before = notify_senders(redis)
        with sending(engine, redis=redis):
            hooked(engine, receiver.url)
            wait_for(lambda: notify_senders(redis) == before + 1)
            receiver.wait_for(1)
        wait_for(lambda: not listening())


def test_nothing_is_asked_of_the_database_while_nobody_says_anything(engine: Engine) -> None:
    with receiving() as receiver, sending(engine):
        hooked(engine, receiver.url)
        assert receiver.received == []


def test_what_is_under_way_at_the_end_is_given_back(engine: Engine) -> None:
    with receiving(lambda _: Reply(wait=1)) as receiver:
        hook = hooked(engine, receiver.url, 3)
        with sending(engine) as sender:
            sender.look()
            receiver.wait_for(3)
            begun = time.monotonic()
            sender.close(0.2)
            assert time.monotonic() - begun < 0.9
            assert len(hook.claim()) == 3, "others send them"


def test_the_end_waits_for_what_is_nearly_done(engine: Engine) -> None:
    with receiving(lambda _: Reply(wait=0.3)) as receiver:
        hook = hooked(engine, receiver.url, 6)
        with sending(engine) as sender:
            sender.look()
            receiver.wait_for(4)
            sender.close(5)
        assert sorted(entry.status for entry in hook.log()) == ["DELIVERED"] * 4 + ["PENDING"] * 2
        assert len(receiver.received) == 4, "nothing more was begun"


def test_trouble_of_any_kind_ends_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a claim that fails nor a thread that cannot be made."""
    broken = iter([ValueError("not known to anybody"), RuntimeError("can't start new thread")])

    def fail(*_: object, **__: object) -> Any:
        raise next(broken)

    with receiving() as receiver, sending(engine) as sender:
        hooked(engine, receiver.url, 3)
        with monkeypatch.context() as patched, capture_logs() as logs:
            patched.setattr("app.webhooks.sender.claim_due", fail)
            sender.look()
            wait_for(lambda: "webhook.not_claimed" in {entry["event"] for entry in logs})
        with monkeypatch.context() as patched, capture_logs() as logs:
            patched.setattr(sender._threads, "submit", fail)
            sender.look()
            wait_for(lambda: "webhook.given_back" in {entry["event"] for entry in logs})
        wait_for(lambda: not sender._asked)
        sender.look()
        receiver.wait_for(3)


def test_names_that_do_not_resolve_hold_up_their_client_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()

    def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        if host == "slow.example":
            answered.wait(20)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = Resolver()
    try:
        for _ in range(MOST_OF_ONE):
            with pytest.raises(DeadlineExceeded):
                resolver.resolve("slow.example", 80, 0.01, whose="one")
        with pytest.raises(httpcore.ConnectError, match="too many"):
            resolver.resolve("slow.example", 80, 0.01, whose="one")
        assert resolver.resolve("quick.example", 80, 1, whose="other") == ["192.0.2.1"]
    finally:
        answered.set()
    wait_for(lambda: not resolver._under_way)
    assert resolver.resolve("slow.example", 80, 1, whose="one") == ["192.0.2.1"]
