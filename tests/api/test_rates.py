"""Requests a second of a client: the bucket, what answers tell of it, and a Redis that is away."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client
from app.clients.quotas import NO_QUOTAS, set_quotas
from app.core.errors import Busy, OverQuota
from app.core.settings import Settings
from app.local.servers.ports import free_port
from app.metrics.listener import impatient_redis
from app.web.rates import Rates
from app.web.turns import TURN
from tests.api.conftest import ITEM, Caller
from tests.dialects.facts import FACTS
from tests.dialects.speaking import Speaker
from tests.support.clock import Clock

SAID = re.compile(r'"requestsPerSecond";r=(\d+);t=1')


@pytest.fixture
def limited(engine: Engine, app: Flask) -> Callable[[int], Caller]:
    """A client with that quota."""

    def limited(rate: int) -> Caller:
        client = create_client(engine, f"limited {uuid4()}")
        set_quotas(engine, client.client_id, {"requestsPerSecond": rate}, NO_QUOTAS)
        return Caller(app, client)

    return limited


def left(answer: Any) -> int:
    """How many requests the answer says are left."""
    assert answer.headers["RateLimit-Policy"].startswith('"requestsPerSecond";q=')
    found = SAID.fullmatch(answer.headers["RateLimit"])
    assert found is not None, answer.headers["RateLimit"]
    return int(found[1])


def test_twice_as_many_at_once_and_then_no_more(limited: Callable[[int], Caller]) -> None:
    api = limited(5)
    answers = [api.get("/v1/limits") for _ in range(30)]
    taken = [answer for answer in answers if answer.status_code == 200]
    # Ten at once, and five more for each second that this took.
    assert 10 <= len(taken) < 30
    assert [answer.status_code for answer in answers[:10]] == [200] * 10
    refused = next(answer for answer in answers if answer.status_code != 200)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    assert refused.json["type"] == "urn:batchline:problem:quota"
    assert refused.json["quota"] == "requestsPerSecond"
    assert "requestsPerSecond" in refused.json["detail"]
    assert left(refused) == 0
    assert refused.headers["RateLimit-Policy"] == '"requestsPerSecond";q=5;w=1'


def test_every_answer_tells_what_is_left(limited: Callable[[int], Caller]) -> None:
    api = limited(10)
    first = api.get("/v1/limits")
    assert first.headers["RateLimit"] == '"requestsPerSecond";r=9;t=1'
    assert first.headers["RateLimit-Policy"] == '"requestsPerSecond";q=10;w=1'
    batch = api.submit({"operation": "catalog.masterlist", "start": "manual", "items": [ITEM]})
    path = f"/v1/batches/{batch.json['id']}"
    etag = {"If-None-Match": batch.headers["ETag"]}
    others = {
        202: batch,
        304: api.get(path, headers=etag),
        404: api.get(f"/v1/batches/{uuid4()}"),
        422: api.get("/v1/batches?limit=x"),
        409: api.post(f"/v1/batches/{api.opened()}/start"),
        204: api.send("DELETE", path),
    }
    for answer in others.values():
        assert left(answer) <= 9
    assert others[304].status_code == 304


def test_what_there_is_not_counts_and_tells_it_too(limited: Callable[[int], Caller]) -> None:
    api = limited(3)
    wrong = {
        404: api.get("/v1/nothing"),
        405: api.send("PUT", "/v1/batches"),
        200: api.send("OPTIONS", "/v1/batches"),
    }
    for status, answer in wrong.items():
        assert answer.status_code == status
        assert left(answer) <= 2
    answers = [api.get(f"/{path}") for path in ("/v1/me", "v1/batches/x") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {404, 429}
    assert all(left(answer) <= 2 for answer in answers)


def test_whoever_it_is_is_told_apart_from_strangers_by_nothing_else(app: Flask) -> None:
    headers = {"Authorization": "Bearer bls_nobodys-secret-at-all"}
    for path, status in (("/v1/nothing", 404), ("/batch/nothing", 404), ("/console/nothing", 404)):
        answer = app.test_client().get(path, headers=headers)
        assert answer.status_code == status
        assert "RateLimit" not in answer.headers


class _Full:
    """The turn of a request for which no place became free."""

    def identified(self, client: Any, secret: str) -> None:
        raise Busy("Too much is asked for just now.", retry_after=1)


def test_who_finds_no_place_is_told_it_too(limited: Callable[[int], Caller]) -> None:
    answer = limited(3).get("/v1/limits", environ_overrides={TURN: _Full()})
    assert answer.status_code == 503
    assert left(answer) == 2


@pytest.mark.parametrize("dialect", FACTS)
def test_dialects_tell_it_and_refuse_in_their_own_shape(
    app: Flask, limited: Callable[[int], Caller], dialect: str
) -> None:
    api = limited(1)
    assert api.client is not None
    speaker = Speaker(app.test_client(), api.client, dialect)
    call = next(call for call in FACTS[dialect].calls if call.method == "GET")
    path = re.sub(r"\{\w+\}|<\w+>", "1", call.path)
    answers = [speaker.get(path) for _ in range(5)]
    assert all(left(answer) == 0 for answer in answers)
    refused = answers[-1]
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    assert "requestsPerSecond" in FACTS[dialect].refused.said(refused, 429)


@pytest.mark.parametrize("dialect", FACTS)
def test_so_they_do_where_they_have_nothing(
    app: Flask, limited: Callable[[int], Caller], dialect: str
) -> None:
    """By the dialect's own headers."""
    api = limited(5)
    assert api.client is not None
    speaker = Speaker(app.test_client(), api.client, dialect)
    call = next(call for call in FACTS[dialect].calls if call.method == "GET")
    path = f"{re.sub(r'{.*', '1', call.path)}/and/nothing"
    answer = speaker.get(path)
    assert answer.status_code == 404, path
    assert left(answer) == 4


def test_who_has_no_such_quota_is_told_nothing_and_asks_redis_nothing(
    api: Caller, redis_url: str
) -> None:
    api.get("/v1/limits")
    redis: Redis = Redis.from_url(redis_url)
    assert api.client is not None
    assert redis.keys(f"batchline:rate:{api.client.client_id}") == []
    redis.close()
    answer = api.get("/v1/limits")
    assert "RateLimit" not in answer.headers
    assert "RateLimit-Policy" not in answer.headers


def test_who_is_not_known_is_told_nothing(app: Flask) -> None:
    answer = Caller(app, None).get("/v1/limits")
    assert answer.status_code == 401
    assert "RateLimit" not in answer.headers


def taken(rates: Rates, client: ClientSecret, rate: int, tries: int) -> int:
    number = 0
    for _ in range(tries):
        try:
            rates.take(client.client_id, rate)
        except OverQuota:
            continue
        number += 1
    return number


def test_two_processes_have_one_bucket(client: ClientSecret, settings: Settings) -> None:
    redis = impatient_redis(settings.redis_url or "")
    one, other = Rates(redis), Rates(redis)
    together = taken(one, client, 50, 100) + taken(other, client, 50, 100)
    assert 100 <= together < 150
    redis.close()


def test_a_redis_that_is_away_is_left_alone_and_counting_goes_on(client: ClientSecret) -> None:
    clock = Clock()
    redis = impatient_redis(f"redis://127.0.0.1:{free_port()}/0")
    rates = Rates(redis, clock=clock)
    assert taken(rates, client, 5, 100) == 10
    assert taken(rates, client, 5, 100) == 0
    clock.forward(1)
    assert taken(rates, client, 5, 100) == 5
    clock.forward(60)
    assert taken(rates, client, 5, 100) == 10
    redis.close()
