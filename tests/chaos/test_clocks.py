"""Processes whose clocks are a minute off, each another way: what is due is judged by Postgres'."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import httpx
import pytest
import redis
from sqlalchemy import Engine, text

from app.clients.credentials import create_client
from app.core.settings import Settings
from app.db import make_engine
from app.db.migrations import upgrade
from tests.chaos.machine import with_clock
from tests.chaos.verify import wrong_times
from tests.conftest import fresh_database
from tests.support.stack import Stack, running_stack, wait_for

OFF = 60.0
RESEND_AFTER = 20.0
HEARTBEAT_TIMEOUT = 3.0
_REDIS_DATABASE = 10
pytestmark = pytest.mark.long
_WORKERS = text("SELECT count(DISTINCT main_pid) FROM workers WHERE queue = 'fast'")
_HEARTBEAT_AGES = text("SELECT extract(epoch FROM clock_timestamp() - heartbeat_at) FROM workers")


@dataclass
class Skewed:
    """A stack with one worker that is right. `off`: by how many seconds each process is ahead.

    `ended`: batches that were run at once, by what they are for.
    """

    stack: Stack
    engine: Engine
    http: httpx.Client
    off: dict[str, float]
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self) -> None:
        """Submit all batches, and wait until they have ended."""
        looks = [{"seconds": 0.02}] * 100
        retries = [{"times": 1, "after": 1.0}] * 40
        soon = [datetime.now(UTC) + timedelta(seconds=after) for after in (4.0, 4.5, 5.0)]
        batches = {
            # More slices than one worker has processes.
            "fast": self.submit("clock.fast", looks * 4),
            "slow": self.submit("clock.slow", looks),
            "fast retries": self.submit("clock.fast", retries),
            "slow retries": self.submit("clock.slow", retries),
            "paced": self.submit("clock.paced", [{}] * 40),
        } | {
            f"scheduled {number}": self.submit("clock.fast", [{}], scheduledAt=moment.isoformat())
            for number, moment in enumerate(soon)
        }
        for what, batch in batches.items():
            self.ended[what] = self.stack.finished(self.http, batch["id"], within=40)

    def submit(self, operation: str, items: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
        """Submit a batch, and the answer."""
        body = {"operation": operation, "items": items, **fields}
        batch: dict[str, Any] = self.http.post("/v1/batches", json=body).raise_for_status().json()
        return batch

    def items(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        """The batch's items."""
        page = self.http.get(f"/v1/batches/{batch['id']}/items", params={"limit": 1000})
        items: list[dict[str, Any]] = page.raise_for_status().json()["data"]
        return items

    def metric(self, name: str) -> float:
        """A metric without labels."""
        page = self.http.get("/metrics").raise_for_status().text
        return next(float(line.split()[1]) for line in page.splitlines() if line.startswith(name))


@pytest.fixture(scope="module", params=[OFF, -OFF], ids=["ahead", "behind"])
def skewed(
    request: pytest.FixtureRequest, settings: Settings, postgres_url: str, redis_url: str
) -> Iterator[Skewed]:
    """One of two workers and the slow one are ahead (behind), beat and web are behind (ahead)."""
    off = {"worker": 0.0, "worker-2": request.param, "slow": request.param}
    off |= {"beat": -request.param, "web": -request.param}
    parts = urlsplit(redis_url)
    own_redis = urlunsplit(parts._replace(path=f"/{_REDIS_DATABASE}"))
    with fresh_database(postgres_url) as url, redis.Redis.from_url(own_redis) as queue:
        queue.flushdb()
        engine = make_engine(url, name="batchline-tests")
        upgrade(engine)
        client = create_client(engine, "clocks")
        settings = replace(
            settings,
            database_url=url,
            redis_url=own_redis,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            resend_after=RESEND_AFTER,
        )
        with _running(settings, off) as stack, stack.http(client) as http:
            skewed = Skewed(stack, engine, http, off)
            # Readiness is that of one worker of a kind.
            wait_for(lambda: _count(engine) == 2, what="both workers")
            skewed.run()
            yield skewed
        engine.dispose()


@contextmanager
def _running(settings: Settings, off: dict[str, float]) -> Iterator[Stack]:
    with running_stack(settings, handlers="tests.chaos.handlers", processes=()) as stack:
        for name, seconds in off.items():
            # Beat says what it does, and when.
            options = "--loglevel INFO" if name == "beat" else ""
            with_clock(stack, seconds).start(name.split("-")[0], name, options=options)

        def ready() -> bool:
            try:
                return httpx.get(f"{stack.url}/readyz", timeout=5).is_success
            except httpx.HTTPError:
                return False

        wait_for(ready, what=lambda: f"readiness\n{stack.tail()}")
        yield stack


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(_WORKERS).scalar_one())


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_clocks_are_off(skewed: Skewed) -> None:
    def seen(what: str) -> set[float]:
        off = set()
        for item in skewed.items(skewed.ended[what]):
            ended = _moment(item["finishedAt"]).timestamp()
            first, second = item["result"]
            assert abs(first - second) < 1
            off.add(round((first - ended) / OFF) * OFF)
        return off

    assert seen("fast") == {0.0, skewed.off["worker-2"]}
    assert seen("slow") == {skewed.off["slow"]}
    batch = skewed.ended["fast"]
    made = (UUID(batch["id"]).int >> 80) / 1000
    ahead = made - _moment(batch["createdAt"]).timestamp()
    assert ahead == pytest.approx(skewed.off["web"], abs=5)
    log = (skewed.stack.logs / "beat.log").read_text()
    said = [json.loads(line) for line in log.splitlines() if "Sending due task sweep" in line]
    ahead = _moment(said[-1]["timestamp"]).timestamp() - time.time()
    assert ahead == pytest.approx(skewed.off["beat"], abs=10)


def test_everything_ends_and_no_time_in_any_row_is_wrong(skewed: Skewed) -> None:
    assert {batch["status"] for batch in skewed.ended.values()} == {"SUCCESS"}
    assert wrong_times(skewed.engine) == []


@pytest.mark.parametrize("which", ["fast retries", "slow retries"])
def test_a_retry_comes_neither_early_nor_late(skewed: Skewed, which: str) -> None:
    for item in skewed.items(skewed.ended[which]):
        assert item["attempts"] == 2
        took = _moment(item["finishedAt"]) - _moment(item["startedAt"])
        assert timedelta(seconds=1) <= took < timedelta(seconds=7)


def test_a_batch_starts_within_two_seconds_of_its_time(skewed: Skewed) -> None:
    for number in range(3):
        batch = skewed.ended[f"scheduled {number}"]
        late = _moment(batch["startedAt"]) - _moment(batch["scheduledAt"])
        assert timedelta(0) <= late < timedelta(seconds=2), skewed.stack.tail()


def test_a_rate_limit_is_kept_and_used(skewed: Skewed) -> None:
    # Twenty a second. A slice whose message comes early is not sent again before RESEND_AFTER.
    paced = skewed.ended["paced"]
    took = _moment(paced["finishedAt"]) - _moment(paced["startedAt"])
    assert timedelta(seconds=1.5) < took < timedelta(seconds=RESEND_AFTER / 2)


def test_what_is_past_is_past_for_web_too(skewed: Skewed) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
    body = {"operation": "clock.fast", "items": [{}], "scheduledAt": past}
    assert skewed.http.post("/v1/batches", json=body).status_code == 422
    staged = skewed.submit("clock.fast", [{}], start="manual")
    where = f"/v1/batches/{staged['id']}"
    assert skewed.http.patch(where, json={"scheduledAt": past}).status_code == 422
    soon = (datetime.now(UTC) + timedelta(seconds=OFF / 2)).isoformat()
    assert skewed.http.patch(where, json={"scheduledAt": soon}).json()["status"] == "SCHEDULED"


def test_nobody_is_taken_for_dead(skewed: Skewed) -> None:
    assert skewed.metric("batchline_claims_taken_over_total") == 0
    with skewed.engine.connect() as connection:
        ages = connection.execute(_HEARTBEAT_AGES).scalars().all()
    assert len(ages) >= 5  # two children a worker, and the one with threads
    assert all(0 <= age < HEARTBEAT_TIMEOUT for age in ages)


def test_sweeps_go_on_when_the_clock_of_beat_is_changed(skewed: Skewed) -> None:
    swept_at = skewed.metric("batchline_last_sweep_timestamp_seconds")
    assert swept_at == pytest.approx(time.time(), abs=5)
    skewed.stack.processes["beat"].stop()
    before = skewed.metric("batchline_sweeps_total")
    with_clock(skewed.stack, -skewed.off["beat"]).start("beat")
    wait_for(
        lambda: skewed.metric("batchline_sweeps_total") >= before + 2,
        within=15,
        what=lambda: f"two sweeps\n{skewed.stack.tail()}",
    )
