"""Redis: whether it keeps what it is given."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.core.settings import Settings
from app.doctor.connecting import cure_of
from app.doctor.finding import Finding, clock, doubtful, fine, wrong
from app.doctor.redis_rights import look_at_rights

_PATIENCE = 5.0
_FULL = 0.8
_OLDEST = (6, 2)
_APART_SECONDS = 5.0


def look_at_redis(settings: Settings) -> Iterator[Finding]:
    """Raises SettingsError where none is given."""
    settings.require_servers(database=False)
    yield from look_at_server("Redis", settings.redis_url or "", "REDIS_URL")


def look_at_server(about: str, url: str, setting: str) -> Iterator[Finding]:
    """The Redis that `setting` leads to, whatever it is for."""
    client = redis.Redis.from_url(url, socket_timeout=_PATIENCE, retry=Retry(NoBackoff(), 0))
    with client:
        try:
            info: Any = client.info()
        except (redis.RedisError, OSError) as error:
            yield wrong(about, str(error), cure_of(str(error), setting))
            return
        yield from look_at_rights(client, about, setting)
        yield from _clock(client, about)
    release = str(info.get("redis_version", "?"))
    yield fine(about, f"{release}, {info.get('used_memory_human', '?')} used")
    if _number(release) < _OLDEST:
        cure = f"set {setting} to a server of release 6.2 or newer: older ones were not tried"
        yield doubtful(about, f"release {release} is old", cure)
    if info.get("role") not in (None, "master"):
        yield wrong(about, "it is a replica, and takes no writes", f"set {setting} to its primary")
    most, policy = int(info.get("maxmemory", 0)), info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        yield wrong(
            about,
            f"it throws keys away when it is full (maxmemory-policy {policy}): messages are lost",
            "set maxmemory-policy to noeviction",
        )
    if most and int(info.get("used_memory", 0)) > most * _FULL:
        yield doubtful(
            about, "it has used most of its maxmemory", "raise maxmemory, or add workers"
        )


def _clock(client: redis.Redis, about: str) -> Iterator[Finding]:
    before = time.time()
    try:
        seconds, microseconds = client.time()
    except redis.RedisError as error:
        yield doubtful(about, f"it does not tell its time: {error}", "let the user do TIME")
        return
    ahead = seconds + microseconds / 1_000_000 - (before + time.time()) / 2
    cure = "set both by NTP: messages that nobody has acknowledged are sent again by it"
    if apart := clock(about, ahead, _APART_SECONDS, cure):
        yield apart


def _number(release: str) -> tuple[int, ...]:
    parts = release.split(".")[:2]
    return tuple(int(part) for part in parts) if all(map(str.isdigit, parts)) else _OLDEST
