"""Who asks on although it is told to wait is told so later, and others notice nothing of it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.clients.quotas import REQUESTS_PER_SECOND, default_quotas, set_quotas
from app.core.settings import Settings
from app.server import bounds
from app.server.insistence import MOST, Insistence
from tests.server.talking import Talk, get
from tests.support.stack import Stack


def test_a_few_in_a_second_are_told_at_once() -> None:
    now = [100.0]
    insistence = Insistence(lambda: now[0])
    assert not any(insistence.refused("a") for _ in range(MOST))
    assert insistence.refused("a")
    assert not insistence.refused("b"), "another has nothing to do with it"
    now[0] += 1.1
    assert not insistence.refused("a"), "the first one in a second tells it how things are"
    assert insistence.refused("a"), "it has gone on"
    now[0] += 2.1
    assert not any(insistence.refused("a") for _ in range(MOST)), "it has waited"


def test_what_is_kept_of_it_is_bounded() -> None:
    insistence = Insistence(lambda: 100.0)
    for number in range(5000):
        assert not insistence.refused(number)
    assert len(insistence._now) == 1000


@pytest.mark.slow
def test_refusals_by_the_hundred_are_held_back(
    web: Stack, client: ClientSecret, other: ClientSecret, engine: Engine, settings: Settings
) -> None:
    set_quotas(engine, client.client_id, {REQUESTS_PER_SECOND: 1}, default_quotas(settings))
    with web.http(client) as http:
        # From now on it is known whose the secret is.
        http.get("/v1/limits").raise_for_status()

    def ask(talk: Talk) -> tuple[int, float]:
        began = time.monotonic()
        status = talk.send(*get(client, "/v1/limits")).answer().status
        return status, time.monotonic() - began

    # Far more than are told at once, even where they take some seconds in all.
    with ExitStack() as held, ThreadPoolExecutor(100) as pool:
        talks = [held.enter_context(Talk(web)) for _ in range(100)]
        answers = list(pool.map(ask, talks))
        again = [ask(talk) for talk in talks[:2]]
    refused = [took for status, took in answers if status == 429]
    assert len(refused) >= 80, "each was answered"
    assert sum(took >= bounds.HELD_SECONDS for took in refused) >= len(refused) // 2
    assert {status for status, _ in again} <= {200, 429}, "the connection goes on"
    with web.http(other) as http:
        http.get("/v1/limits").raise_for_status()
