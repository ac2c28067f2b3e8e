"""`python -m benchmarks.scale`: what is asked of a very large batch, and who notices.

A batch of a million items, each key twice, is loaded into the tables and started; then it is
canceled, retried, canceled and reset, and another one is deleted. For each it is told how long the
answer took, and how long until it was done. All the while another client's batches of one item are
timed, and who looks into Postgres notes the longest transaction, and the longest wait for a lock.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any
from uuid import UUID

import httpx
import psycopg2

from app.clients.credentials import create_client
from benchmarks.batchline import Batchline
from benchmarks.feed import ASIN_SQL, OPERATION, Feeds
from benchmarks.loading import load
from benchmarks.stack import Stack, running_stack

# A feed's numbers begin here, and those of the large batch before.
_FIRST = 1 << 30
_AT_ONCE = 50_000
_BATCH = """
    INSERT INTO batches (id, client_id, operation, status, total, may_repeat)
    VALUES (%(batch)s, %(client)s, %(operation)s, 'OPEN', %(items)s, true)
"""
_ITEMS = f"""
    INSERT INTO items (batch_id, index, key, input)
    SELECT %(batch)s, index, asin || ':US',
           ('{{"asin":"' || asin || '","countryCode":"US","percACoS":2.7}}')::json
    FROM (SELECT index, {ASIN_SQL} AS asin
          FROM (SELECT index, index %% %(keys)s AS n
                FROM generate_series(%(first)s::bigint, %(last)s) AS index) AS numbered) AS products
"""
_LONGEST = """
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start))
                    FILTER (WHERE query NOT LIKE '%%lane_chunks%%'
                            AND query NOT LIKE '%%sweep%%'), 0),
           coalesce(max(extract(epoch FROM clock_timestamp() - query_start))
                    FILTER (WHERE wait_event_type = 'Lock'), 0)
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
      AND pid <> pg_backend_pid() AND state <> 'idle'
"""


class Watch:
    """Batches of one item of another client, in turn; and a look at Postgres each 20 ms."""

    def __init__(self, stack: Stack, feeds: Feeds) -> None:
        self._stack = stack
        self._feeds = feeds
        self._secret = create_client(stack.engine, "small").secret
        self._over = threading.Event()
        self.times: list[float] = []
        self.transaction = 0.0
        self.lock = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch for as long as the block lasts."""
        threads = [threading.Thread(target=one) for one in (self._probe, self._look)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def taken(self) -> tuple[list[float], float, float]:
        """What was seen since this was last asked for."""
        seen = self.times, self.transaction, self.lock
        self.times, self.transaction, self.lock = [], 0.0, 0.0
        return seen

    def _probe(self) -> None:
        headers = {"Authorization": f"Bearer {self._secret}"}
        with httpx.Client(base_url=self._stack.url, headers=headers, timeout=120) as http:
            batchline = Batchline(http)
            while not self._over.is_set():
                self.times.append(batchline.run(self._feeds.take(1)).seconds)
                self._over.wait(0.2)

    def _look(self) -> None:
        connection = psycopg2.connect(self._stack.dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not self._over.wait(0.02):
                cursor.execute(_LONGEST)
                [row] = cursor.fetchall()
                self.transaction = max(self.transaction, float(row[0]))
                self.lock = max(self.lock, float(row[1]))
        connection.close()


class Large:
    """One large batch, and what is asked of it."""

    def __init__(self, stack: Stack, watch: Watch, items: int) -> None:
        self._stack = stack
        self._watch = watch
        self._items = items
        self._path = f"/v1/batches/{_load(stack, items)}"

    def ask(self, what: str, body: Any = None) -> None:
        """Make the move, wait until it is through, and print a line."""
        self._watch.taken()
        began = time.monotonic()
        if what == "delete":
            answer = self._stack.http.delete(self._path)
        else:
            answer = self._stack.http.post(f"{self._path}/{what}", json=body)
        answered = time.monotonic() - began
        assert answer.is_success, answer.text
        while not self._through(what):
            time.sleep(0.05)
        through = time.monotonic() - began
        times, transaction, lock = self._watch.taken()
        worst = max(times, default=0.0)
        print(
            f"{what:<8}{answer.status_code:>4}{answered:9.2f}{through:9.1f}{transaction:9.2f}"
            f"{lock:9.2f}{len(times):7}{median(times or [0.0]) * 1000:8.0f}{worst * 1000:8.0f}",
            flush=True,
        )

    def _through(self, what: str) -> bool:
        answer = self._stack.http.get(self._path)
        if what == "delete":
            return answer.status_code == 404
        batch = answer.json()
        if what == "start":
            return bool(batch["summary"]["processed"])
        if what == "cancel":
            return batch["finishedAt"] is not None
        return batch["doing"] is None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    options = parser.parse_args(arguments)
    with running_stack(None, {}) as stack:
        feeds = Feeds(first=_FIRST)
        Batchline(stack.http).run(feeds.take(2_000))  # so that the operation's cost is known
        watch = Watch(stack, feeds)
        with watch.running():
            time.sleep(3)
            times, _, _ = watch.taken()
            print(f"{options.items:,} items, each key twice. Idle: {median(times) * 1000:.0f} ms")
            print("asked    code answered  through  longest  longest  small  median     max")
            print("                     s        s  trans.s  lock, s  batches    ms      ms")
            batch = Large(stack, watch, options.items)
            batch.ask("start")
            time.sleep(5)
            batch.ask("cancel")
            batch.ask("retry", {"statuses": ["CANCELED"]})
            batch.ask("cancel")
            batch.ask("reset")
            batch = Large(stack, watch, options.items)
            batch.ask("cancel")
            batch.ask("delete")


def _load(stack: Stack, items: int) -> UUID:
    more = {"operation": OPERATION, "keys": max(1, items // 2)}
    return load(stack, _BATCH, _ITEMS, items, at_once=_AT_ONCE, more=more)


if __name__ == "__main__":
    main()
