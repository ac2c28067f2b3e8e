"""/metrics: what it says of work that real workers did, and who may read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from app.batches.submission import Submission, accept
from app.clients.credentials import ClientSecret, create_client
from app.core.settings import Settings
from app.events.listeners import SliceFolded, listen_with, listener
from app.formats.raw_item import RawItem
from app.metrics import catalogue
from app.metrics.catalogue import Metric
from app.metrics.counters import HASH, Additions, read_counters
from app.metrics.gauges import read_database
from app.metrics.listener import RedisListener, impatient_redis
from handlers.load import load_handlers
from tests.api.conftest import Caller, make_app
from tests.conftest import TEST_HANDLERS, engine_of_its_own
from tests.support.stack import Stack, wait_for

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, metric: Metric | str, **labels: str) -> float:
    name = metric if isinstance(metric, str) else metric.name
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


@pytest.fixture
def http(stack: Stack, client: ClientSecret) -> Iterator[httpx.Client]:
    with stack.http(client) as http:
        yield http


def test_work_that_was_done_is_counted(stack: Stack, http: httpx.Client) -> None:
    def now() -> Samples:
        return scrape(httpx.get(f"{stack.url}/metrics").raise_for_status().text)

    before = now()
    items = [{"do": "succeed"}] * 20 + [{"do": "reject"}] * 3 + [{"do": 5}] * 2
    items += [{"do": "flaky"}] * 4
    batch = http.post("/v1/batches", json={"operation": "test.probe", "items": items}).json()
    stack.finished(http, batch["id"])

    after: Samples = {}

    def grown(metric: Metric | str, **labels: str) -> float:
        return value(after, metric, **labels) - value(before, metric, **labels)

    def told() -> bool:
        nonlocal after
        after = now()
        return bool(grown(catalogue.BATCHES_FINISHED, operation="test.probe", status="PARTIAL"))

    wait_for(told, within=10, what="the batch in the metrics")
    this = {"operation": "test.probe"}
    assert grown(catalogue.ITEMS_PROCESSED, **this, status="SUCCESS") == 24
    assert grown(catalogue.ITEMS_PROCESSED, **this, status="FAILED") == 3
    assert grown(catalogue.ITEMS_PROCESSED, **this, status="INVALID") == 2
    assert grown(catalogue.ITEM_RETRIES, **this) == 4
    assert grown(catalogue.WAVES, **this) >= 2
    assert grown("batchline_batch_seconds_count", **this) == 1
    assert grown("batchline_slice_seconds_count", **this) >= 2
    assert grown("batchline_item_seconds_count", **this) == 29
    slices = grown("batchline_slice_seconds_sum", **this)
    assert 0 < slices < 60
    wait_for(lambda: value(now(), catalogue.SWEEPS) > value(before, catalogue.SWEEPS), within=10)
    assert value(now(), catalogue.LAST_SWEEP) > 1.7e9
    assert value(after, catalogue.WORKERS, queue="fast") >= 2
    assert value(after, catalogue.WORKER_SLOTS, queue="slow") >= 8
    for source in ("postgres", "redis", "broker"):
        assert value(after, catalogue.SOURCE_UP, source=source) == 1
    for queue in ("control", "express", "fast", "slow"):
        key = (catalogue.QUEUE_MESSAGES.name, (("queue", queue),))
        assert key in after


def test_what_waits_is_seen(app: Flask, api: Caller) -> None:
    def items(text: str) -> float:
        return value(scrape(text), catalogue.ITEMS, operation="loyalty.balance", status="PENDING")

    before = items(api.get("/metrics").text)
    api.opened([{"playerUniqueId": "p"}] * 7, operation="loyalty.balance")
    # The page may be a second old.
    wait_for(lambda: items(api.get("/metrics").text) - before == 7, within=10)
    text = api.get("/metrics").text
    labels = {"operation": "loyalty.balance", "status": "OPEN"}
    assert value(scrape(text), catalogue.BATCHES, **labels) >= 1


def test_a_batch_is_in_line_until_a_worker_has_moved_it_on(postgres_url: str) -> None:
    """A small one until it has ended: what autoscalers would not see by its slices."""
    with engine_of_its_own(postgres_url) as engine:

        def in_line() -> dict[str, float]:
            families = list(read_database(engine, own=(), stale=12, patience=30))
            [found] = [one for one in families if one.name == catalogue.BATCHES_IN_LINE.name]
            return {sample.labels["queue"]: sample.value for sample in found.samples}

        assert in_line() == {}
        client_id = create_client(engine, "in line").client_id
        registry = load_handlers([TEST_HANDLERS])
        for operation in ("test.probe", "test.probe", "test.slow"):
            accept(engine, registry, Submission(client_id, operation), [RawItem("{}")])
        assert in_line() == {"fast": 2, "slow": 1}


def test_nothing_else_is_told_and_all_of_it_is_described(api: Caller) -> None:
    text = api.get("/metrics").text
    told = {
        line.split(" ", 3)[2]: line.split(" ", 3)[3]
        for line in text.splitlines()
        if line.startswith("# HELP")
    }
    assert told == {metric.name: metric.help for metric in catalogue.ALL}


def test_a_token_may_be_wanted(settings: Settings, client: ClientSecret) -> None:
    apps = make_app(replace(settings, metrics_token="let me in"))
    app = next(apps)
    try:
        nobody = Caller(app, None)
        refused = nobody.get("/metrics")
        assert refused.status_code == 401
        assert "WWW-Authenticate" in refused.headers
        assert Caller(app, client).get("/metrics").status_code == 401
        right = {"Authorization": "Bearer let me in"}
        assert nobody.get("/metrics", headers=right).status_code == 200
    finally:
        next(apps, None)


def test_without_redis_the_rest_is_told(settings: Settings) -> None:
    apps = make_app(
        replace(settings, redis_url="redis://127.0.0.1:1/0", explicit_broker_url=settings.redis_url)
    )
    before = listener()
    try:
        answer = Caller(next(apps), None).get("/metrics")
        assert answer.status_code == 200
        samples = scrape(answer.text)
        assert value(samples, catalogue.SOURCE_UP, source="redis") == 0
        assert value(samples, catalogue.SOURCE_UP, source="postgres") == 1
        assert value(samples, catalogue.SOURCE_UP, source="broker") == 1
        assert (catalogue.WEBHOOKS_PENDING.name, ()) in samples
    finally:
        next(apps, None)
        listen_with(before)


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    """A database of its own, so that nobody else counts here."""
    redis = Redis.from_url(settings.redis_url or "", db=15)
    redis.delete(HASH)
    yield redis
    redis.delete(HASH)
    redis.close()


def test_histograms_add_up(redis: Redis) -> None:
    additions = Additions()
    for seconds, times in ((0.00005, 10), (0.001, 5), (0.3, 2), (1000.0, 1)):
        additions.observe(catalogue.ITEM_SECONDS, "op", value=seconds, times=times)
    with redis.pipeline() as pipeline:
        additions.write(pipeline)
        additions.write(pipeline)
        pipeline.execute()
    [family] = [one for one in read_counters(redis) if one.name == catalogue.ITEM_SECONDS.name]
    buckets = {
        sample.labels["le"]: sample.value
        for sample in family.samples
        if sample.name.endswith("_bucket")
    }
    assert (buckets["0.0001"], buckets["0.001"], buckets["0.5"]) == (20, 30, 34)
    assert (buckets["120.0"], buckets["+Inf"]) == (34, 36)
    [total] = [sample.value for sample in family.samples if sample.name.endswith("_sum")]
    assert total == pytest.approx(2 * (0.0005 + 0.005 + 0.6 + 1000))


def test_an_unknown_operation_is_no_label_of_its_own(redis: Redis) -> None:
    """Items may name any operation; each would otherwise be a series for ever."""
    told = RedisListener(redis, {"known"})
    news = [
        SliceFolded(operation, "run", 1, 0, 0, 1, 0.1) for operation in ("known", "a", "b", None)
    ]
    told.folded(uuid4(), news)
    [family] = [one for one in read_counters(redis) if one.name.startswith("batchline_items_pr")]
    assert {sample.labels["operation"]: sample.value for sample in family.samples} == {
        "known": 1,
        "unknown": 2,
        "mixed": 1,
    }


def test_a_redis_that_is_away_is_left_alone_for_a_while() -> None:
    told = RedisListener(impatient_redis("redis://127.0.0.1:1/0"), set())
    told.claim_lost()
    assert told._leave_alone_until > 0
    told.swept({"claims_taken_over": 1})
