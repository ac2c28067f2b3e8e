"""What the user of a Redis may do there: whatever processes do is tried, on keys of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import redis

from app.doctor.connecting import cure_of
from app.doctor.finding import Finding, wrong

_SCRIPT = "return redis.call('SET', KEYS[1], '1', 'PX', '5000')"
_SUBSCRIPTION_SECONDS = 5.0


def look_at_rights(client: redis.Redis, about: str, setting: str) -> Iterator[Finding]:
    """One finding for all that its user may not do. Leaves nothing behind."""
    refused: dict[str, str] = {}
    # Keys and a channel that nobody reads.
    key = f"batchline:doctor:{secrets.token_hex(8)}"
    for name, *values in _trials(key):
        try:
            client.execute_command(name, *values)
        except redis.RedisError as error:
            if _is_refusal(error):
                refused.setdefault(name, str(error))
            elif not refused:  # else it may come of that
                yield wrong(about, f"{name}: {error}", cure_of(str(error), setting))
                return
    try:
        _subscribe(client, key)
    except redis.RedisError as error:
        refused["SUBSCRIBE"] = str(error)
    if refused:
        said = "; ".join([next(iter(refused.values())), *list(refused)[1:]])
        yield wrong(about, f"its user may not do what processes do: {said}", cure_of(said, setting))


def _trials(key: str) -> Iterator[tuple[Any, ...]]:
    # Rates, places and what is set for some seconds; who listens is told.
    yield "EVAL", _SCRIPT, 1, key
    yield "GET", key
    yield "PUBLISH", key, ""
    # The counts of chords, whose keys are Celery's.
    yield "INCR", key
    yield "EXPIRE", key, 5
    yield "DEL", key, f"chord-unit-{key}"
    # Counters, read for /metrics.
    yield "HINCRBY", key, "n", 1
    yield "HGETALL", key
    yield "DEL", key
    # Queues and what was taken from them, where it is the broker.
    yield "LPUSH", key, "n"
    yield "BRPOP", key, 0.01
    yield "DEL", key
    yield "ZADD", key, 1, "n"
    yield "DEL", key
    yield "SADD", key, "n"
    yield "SMEMBERS", key
    yield "DEL", key


def _subscribe(client: redis.Redis, channel: str) -> None:
    with client.pubsub() as listening:
        listening.subscribe(channel)
        listening.get_message(timeout=_SUBSCRIPTION_SECONDS)


def _is_refusal(error: redis.RedisError) -> bool:
    """Also of what a script does, which is told in other words."""
    return "no permissions" in str(error).lower()
