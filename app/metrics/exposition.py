"""All metrics as one page in Prometheus' own format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import structlog
from celery import Celery
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector
from redis import Redis
from sqlalchemy import Engine

from app.metrics.counters import read_counters
from app.metrics.gauges import read_broker, read_database, read_redis, source_up

log = structlog.get_logger(__name__)

Read = Callable[[], Iterable[Metric]]


def expose(
    engine: Engine,
    redis: Redis,
    celery: Celery,
    *,
    own: Iterable[str],
    stale: float,
    patience: float,
) -> bytes:
    """The page. What cannot be read is left out, and `batchline_source_up` says so.

    `own`, `stale`, `patience`: as `read_database` has them.
    """
    sources: dict[str, Read] = {
        "postgres": lambda: read_database(engine, own=own, stale=stale, patience=patience),
        "redis": lambda: [*read_counters(redis), *read_redis(redis)],
        "broker": lambda: read_broker(celery),
    }
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Sources(sources))
    return generate_latest(registry)


class _Sources(Collector):
    def __init__(self, sources: dict[str, Read]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        up: dict[str, bool] = {}
        for name, read in self._sources.items():
            try:
                families = list(read())
            except Exception as error:  # each library has its own, and none may hide the others
                log.warning("metrics.unread", source=name, error=str(error))
                up[name] = False
                continue
            up[name] = True
            yield from families
        yield source_up(up)
