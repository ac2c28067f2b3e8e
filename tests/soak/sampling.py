"""Samples of everything that might grow, each under a name: `web 2 rss MiB`, `redis keys`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import psutil
import redis
from sqlalchemy import Engine, text

from app.local.servers.guarded import Guarded

Sample = dict[str, float]
MIB = 1024 * 1024

_CONNECTIONS = text(
    """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
    """
)
_DEAD_ROWS = text("SELECT relname, n_dead_tup FROM pg_stat_user_tables")


def processes_of(guards: Mapping[str, Guarded]) -> Sample:
    """Memory, files and threads of each process, by its line of the Procfile and its age there."""
    sample: Sample = {}
    for line, guard in guards.items():
        with contextlib.suppress(psutil.Error):
            for place, process in enumerate(psutil.Process(guard.process.pid).children(True), 1):
                with contextlib.suppress(psutil.Error):
                    name = f"{line} {place}"
                    sample[f"{name} rss MiB"] = process.memory_info().rss / MIB
                    sample[f"{name} files"] = process.num_fds()
                    sample[f"{name} threads"] = process.num_threads()
    return sample


def servers_of(engine: Engine, valkey: redis.Redis) -> Sample:
    """Connections and dead rows in Postgres; keys, clients and memory in Valkey."""
    with engine.connect() as connection:
        sample: Sample = {
            "postgres connections": float(connection.execute(_CONNECTIONS).scalar_one())
        }
        for table, dead in connection.execute(_DEAD_ROWS):
            sample[f"{table} dead rows"] = float(dead)
    told = valkey.info()
    sample["redis keys"] = float(valkey.dbsize())
    sample["redis clients"] = float(told["connected_clients"])
    sample["redis MiB"] = told["used_memory"] / MIB
    return sample
