"""How long it takes until work goes on after a worker's death, its freezing, and a flushed broker,
with a hundred unfinished batches among ten thousand ended ones.

`python -m tests.chaos.recovery` measures it with the settings as they are shipped.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import httpx
import redis
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret, create_client
from app.core.settings import Settings, load_settings
from app.db import make_engine
from app.db.migrations import upgrade
from app.local.servers import start_postgres, start_valkey
from tests.chaos.machine import below
from tests.support.stack import Stack, running_stack, wait_for

ENDED = 10_000
UNFINISHED = 100
ITEMS = 8
_WITHIN = 90.0

_ENDED = text(
    """
    WITH ended AS (
        INSERT INTO batches (id, client_id, operation, status, total, completed, finished_at)
        SELECT gen_random_uuid(), :client, 'test.probe', 'SUCCESS', 1, 1, now()
        FROM generate_series(1, :count) RETURNING id
    )
    INSERT INTO items (batch_id, index, input, status, finished_at)
    SELECT id, 0, '{}', 'SUCCESS', now() FROM ended
    """
)
# The items that these processes hold, by the slice that covers them.
_HELD = text(
    """
    SELECT i.batch_id, i.index FROM slices s JOIN workers w ON w.id = s.worker_id
    JOIN items i ON i.batch_id = s.batch_id AND i.status = 'PENDING'
     AND CASE WHEN s.picks IS NULL THEN i.index BETWEEN s.first_index AND s.last_index
                                        AND i.due_at IS NULL
              ELSE i.index = ANY(s.picks) END
    WHERE s.state = 'CLAIMED' AND w.pid = ANY(:pids)
    """
)
# Of those, the ones that have not ended and that nobody else holds.
_WAITING = text(
    """
    SELECT count(*)
    FROM unnest(CAST(:batches AS uuid[]), CAST(:indexes AS int[])) AS h(batch_id, index)
    JOIN items i ON i.batch_id = h.batch_id AND i.index = h.index AND i.status = 'PENDING'
    WHERE NOT EXISTS (
        SELECT FROM slices s JOIN workers w ON w.id = s.worker_id
        WHERE s.batch_id = i.batch_id AND s.state = 'CLAIMED' AND NOT w.pid = ANY(:pids)
          AND CASE WHEN s.picks IS NULL THEN i.index BETWEEN s.first_index AND s.last_index
                                             AND i.due_at IS NULL
                   ELSE i.index = ANY(s.picks) END)
    """
)
_TRIED_AGAIN = text("SELECT coalesce(sum(crashes), 0) FROM items")
# What has ended of each unfinished batch.
_PROGRESS = text(
    """
    SELECT b.id, b.finished_at, b.completed + coalesce(sum(s.completed), 0) AS ended
    FROM batches b LEFT JOIN slices s ON s.batch_id = b.id
    WHERE b.client_id = :client AND b.operation = 'test.probe' AND b.total > 1
    GROUP BY b.id
    """
)


@dataclass(frozen=True)
class Recovery:
    """Seconds until every item that a dead worker held was run by another, the same of a frozen
    one, and until each batch had gone on after FLUSHALL. `unfinished`: batches at the flush."""

    killed: float
    frozen: float
    flushed: float
    unfinished: int
    tried_again: int


def measure(settings: Settings, engine: Engine, client: ClientSecret) -> Recovery:
    """Measure on a database of one's own. Leaves the batches canceled or ended."""
    with engine.begin() as connection:
        connection.execute(_ENDED, {"client": client.client_id, "count": ENDED})
    with (
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        running_stack(settings, handlers="tests.support.handlers") as stack,
        stack.http(client) as http,
    ):
        connection.execute(text("ANALYZE"))
        stack.start("worker", "worker-2")
        ids = _submit(http)
        killed = _until_others_have_it(connection, stack, "worker-2", signal.SIGKILL)
        stack.start("worker", "worker-2")
        frozen = _until_others_have_it(connection, stack, "worker", signal.SIGSTOP)
        for pid in below(stack.processes["worker"].process.pid):
            os.kill(pid, signal.SIGCONT)
        ids += _submit(http)
        flushed, unfinished = _until_all_go_on(connection, settings, client)
        tried_again = int(connection.execute(_TRIED_AGAIN).scalar_one())
        for batch_id in ids:
            http.post(f"/v1/batches/{batch_id}/cancel")
        ended = [stack.finished(http, batch_id) for batch_id in ids]
    assert {one["status"] for one in ended} <= {"SUCCESS", "CANCELED", "PARTIAL"}
    assert all(one["summary"]["failed"] == 0 for one in ended)
    return Recovery(killed, frozen, flushed, unfinished, tried_again)


def _submit(http: httpx.Client) -> list[str]:
    """A hundred batches of a little work each: four seconds' for four processes."""
    ids = []
    for number in range(UNFINISHED):
        items = [{"seconds": 0.02, "key": f"{number}-{n}"} for n in range(ITEMS)]
        answer = http.post("/v1/batches", json={"operation": "test.probe", "items": items})
        ids.append(answer.raise_for_status().json()["id"])
    return ids


def _until_others_have_it(
    connection: Any, stack: Stack, name: str, number: signal.Signals
) -> float:
    """Seconds until what `name` held when it was sent the signal had ended, or another held it."""

    def pids_now() -> list[int]:
        return below(stack.processes[name].process.pid)

    def held() -> list[Any]:
        return list(connection.execute(_HELD, {"pids": pids_now()}).all())

    wait_for(held, what=f"{name} at work")
    pids = pids_now()
    began = time.monotonic()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    items = list(connection.execute(_HELD, {"pids": pids}).all())
    waiting = {
        "batches": [row.batch_id for row in items],
        "indexes": [row.index for row in items],
        "pids": pids,
    }
    return _seconds_until(
        lambda: connection.execute(_WAITING, waiting).scalar_one() == 0, began, stack.tail
    )


def _until_all_go_on(
    connection: Any, settings: Settings, client: ClientSecret
) -> tuple[float, int]:
    def progress() -> dict[Any, Any]:
        rows = connection.execute(_PROGRESS, {"client": client.client_id}).all()
        return {row.id: row for row in rows}

    with redis.Redis.from_url(settings.redis_url or "") as valkey:
        valkey.flushdb()
    began = time.monotonic()
    before = {key: row for key, row in progress().items() if row.finished_at is None}

    def all_went_on() -> bool:
        now = progress()
        return all(
            now[key].finished_at is not None or now[key].ended > row.ended
            for key, row in before.items()
        )

    return _seconds_until(all_went_on, began, lambda: str(progress())), len(before)


def _seconds_until(condition: Callable[[], bool], began: float, what: Callable[[], str]) -> float:
    wait_for(condition, within=_WITHIN, what=what)
    return time.monotonic() - began


@click.command()
def main() -> None:
    """Measure with the settings as they are shipped, and print the figures."""
    with tempfile.TemporaryDirectory(prefix="batchline-recovery-") as home:
        Path(home).chmod(0o711)
        with start_postgres(Path(home)) as postgres, start_valkey(Path(home)) as valkey:
            settings = load_settings(
                {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url, "BATCHLINE_HOME": home}
            )
            engine = make_engine(settings.database_url or "", name="batchline-recovery")
            upgrade(engine)
            found = measure(settings, engine, create_client(engine, "recovery"))
            engine.dispose()
    click.echo(f"{UNFINISHED} unfinished batches among {ENDED:,} ended ones")
    click.echo(f"a worker killed: its items were run elsewhere after {found.killed:.1f} s")
    click.echo(f"a worker frozen: its items were run elsewhere after {found.frozen:.1f} s")
    click.echo(
        f"the broker flushed: all of {found.unfinished} batches had gone on after "
        f"{found.flushed:.1f} s"
    )
    click.echo(f"{found.tried_again} items were tried again")


if __name__ == "__main__":
    main()
