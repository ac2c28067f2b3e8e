"""Places for submissions and streams: over all processes, and free again when one died."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from app.clients.credentials import ClientSecret
from app.core.errors import OverQuota
from app.local.servers.ports import free_port
from app.metrics.listener import impatient_redis
from app.web import places
from app.web.places import Place, Places
from tests.support.stack import wait_for

QUOTA = "streamsAtOnce"


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    redis = impatient_redis(redis_url)
    yield redis
    redis.close()


def taken(by: Places, client: ClientSecret, most: int, tries: int) -> list[Place]:
    def take(_: int) -> Place | None:
        try:
            return by.take(client.client_id, most)
        except OverQuota:
            return None

    with ThreadPoolExecutor(16) as threads:
        return [place for place in threads.map(take, range(tries)) if place is not None]


def test_many_threads_of_two_processes_never_have_more(redis: Redis, client: ClientSecret) -> None:
    one, other = Places(redis, QUOTA), Places(redis, QUOTA)
    with ThreadPoolExecutor(2) as both:
        found = [place for part in both.map(lambda by: taken(by, client, 7, 40), (one, other))
                 for place in part]  # fmt: skip
    assert len(found) == 7
    assert one.count(client.client_id) == other.count(client.client_id) == 7
    found[0].give_back()
    found[0].give_back()
    assert one.count(client.client_id) == 6
    again = taken(other, client, 7, 10)
    assert len(again) == 1
    for place in found + again:
        place.give_back()


def test_nobody_takes_anothers(redis: Redis, client: ClientSecret) -> None:
    by = Places(redis, QUOTA)
    with by.held(client.client_id, 1):
        assert taken(by, client, 1, 3) == []
    [place] = taken(by, client, 1, 3)
    place.give_back()


def test_none_at_all_is_a_quota_too(redis: Redis, client: ClientSecret) -> None:
    by = Places(redis, QUOTA)
    with pytest.raises(OverQuota, match="streamsAtOnce is 0") as refused:
        by.take(client.client_id, 0)
    assert not by._held, "and nothing is kept of who asked"
    assert (refused.value.quota, refused.value.retry_after) == (QUOTA, 1)


def test_places_of_a_process_that_died_are_free_again_and_others_are_kept(
    redis: Redis, client: ClientSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "GOOD_FOR", 0.6)
    monkeypatch.setattr(places, "_RENEW_EVERY", 0.1)
    living, dead = Places(redis, QUOTA), Places(redis, QUOTA)
    monkeypatch.setattr(dead, "_renew_from_now_on", lambda: None)
    kept = living.take(client.client_id, 2)
    dead.take(client.client_id, 2)
    assert living.count(client.client_id) == 2
    wait_for(lambda: living.count(client.client_id) == 1, within=10)
    done = threading.Event()
    done.wait(1.5)  # more than twice as long as it is good without being renewed
    assert living.count(client.client_id) == 1
    kept.give_back()
    assert living.count(client.client_id) == 0
    wait_for(lambda: not living._renewing, within=10)


def test_where_redis_is_away_each_process_counts_its_own(client: ClientSecret) -> None:
    redis = impatient_redis(f"redis://127.0.0.1:{free_port()}/0")
    by = Places(redis, QUOTA)
    found = taken(by, client, 3, 10)
    assert len(found) == 3
    assert by.count(client.client_id) == 3
    for place in found:
        place.give_back()
    again = taken(by, client, 3, 10)
    assert len(again) == 3
    for place in again:
        place.give_back()
    wait_for(lambda: not by._renewing, within=10)
    redis.close()
