"""Many batches at once, on real workers: nobody waits for a neighbour longer than for its turn."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from sqlalchemy import Engine, text

from app.batches.submission import Submission, accept
from app.clients.credentials import create_client
from app.core.settings import Settings
from app.db import make_engine
from app.db.migrations import upgrade
from app.formats.raw_item import RawItem
from app.messaging.broker import QUEUES
from app.messaging.dispatch import Dispatcher
from handlers import Registry
from handlers.load import load_handlers
from tests.conftest import TEST_HANDLERS, fresh_database
from tests.support.application import close_dispatcher
from tests.support.stack import Stack, running_stack, wait_for

pytestmark = pytest.mark.long

# On a busy machine; what is promised of an idle one is measured (docs/performance.md).
WITHIN = 120.0
_REDIS_DATABASE = 11


class Crowd:
    """A stack of its own, and what is submitted to it."""

    def __init__(self, stack: Stack, engine: Engine, registry: Registry) -> None:
        self.stack = stack
        self.engine = engine
        self.registry = registry
        self.dispatcher = Dispatcher(stack.settings)
        self.redis = redis.Redis.from_url(stack.settings.redis_url or "")

    def client(self) -> UUID:
        """A new one."""
        return create_client(self.engine, f"crowd {uuid4()}").client_id

    def submit(
        self, client_id: UUID, operation: str, items: list[dict[str, Any]], **options: Any
    ) -> UUID:
        """Store a batch; a worker is told of one that starts now."""
        submission = Submission(client_id, operation, **options)
        raw = [RawItem(json.dumps(item)) for item in items]
        accept(self.engine, self.registry, submission, raw)
        if submission.start == "now":
            known = self.registry.get(operation)
            assert known is not None
            self.dispatcher.advance(submission.id, known.queue)
        return submission.id

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        """The rows of a query."""
        with self.engine.connect() as connection:
            return list(connection.execute(text(query), parameters))

    def ended(self, batch_ids: list[UUID]) -> int:
        """How many of the batches have."""
        found = self.rows(
            "SELECT count(*) FROM batches WHERE id = ANY(:ids) AND finished_at IS NOT NULL",
            ids=batch_ids,
        )
        return int(found[0][0])

    def wait(self, *batch_ids: UUID, within: float = WITHIN) -> None:
        """Until these have ended."""
        wait_for(
            lambda: self.ended(list(batch_ids)) == len(batch_ids),
            within=within,
            what=lambda: self.stack.tail(),
        )

    def messages(self) -> int:
        """Messages that the broker holds for workers, taken or not."""
        pipeline = self.redis.pipeline(transaction=False)
        for queue in QUEUES:
            pipeline.llen(queue)
        pipeline.hlen("unacked")
        return sum(pipeline.execute())


@pytest.fixture(scope="module")
def crowd(settings: Settings, postgres_url: str) -> Iterator[Crowd]:
    """Workers that nobody else gives work to."""
    registry = load_handlers([TEST_HANDLERS])
    with fresh_database(postgres_url) as url:
        redis_url = f"{(settings.redis_url or '').rsplit('/', 1)[0]}/{_REDIS_DATABASE}"
        own = settings.with_servers(database_url=url, redis_url=redis_url)
        engine = make_engine(own.database_url or "", name="batchline-tests")
        upgrade(engine)
        extra = {"WORKER_STOP_SECONDS": "2"}
        with running_stack(own, handlers=TEST_HANDLERS, extra=extra) as stack:
            found = Crowd(stack, engine, registry)
            yield found
            close_dispatcher(found.dispatcher)
            found.redis.close()
        engine.dispose()


def test_of_1500_batches_due_at_one_moment_the_broker_holds_few_messages(crowd: Crowd) -> None:
    client = crowd.client()
    ids = [
        crowd.submit(client, "test.bulk", [{"key": f"{n}-{i}"} for i in range(3)], start="manual")
        for n in range(1500)
    ]
    with crowd.engine.begin() as connection:
        connection.execute(
            text(
                """UPDATE batches SET status = 'SCHEDULED', scheduled_at = now()
                   WHERE id = ANY(:ids)"""
            ),
            {"ids": ids},
        )
    until = time.monotonic() + WITHIN
    while True:
        held = crowd.messages()
        waiting = len(ids) - crowd.ended(ids)
        # Beside the sweep's own, of which there is one a second.
        assert held <= 2 * waiting + 5
        if not waiting:
            break
        assert time.monotonic() < until, f"{waiting} left\n{crowd.stack.tail()}"
        time.sleep(0.05)
    counts = crowd.rows("SELECT status, count(*) FROM batches GROUP BY status")
    assert {tuple(row) for row in counts} == {("SUCCESS", 1500)}


def test_a_batch_beside_300_of_another_client_has_its_turn_among_the_first(crowd: Crowd) -> None:
    many, few = crowd.client(), crowd.client()
    items = [{"seconds": 0.01, "key": f"k{n}"} for n in range(10)]
    waiting = [crowd.submit(many, "test.probe", items) for _ in range(300)]
    before = crowd.ended(waiting)
    probe = crowd.submit(few, "test.probe", items)
    crowd.wait(probe)
    assert crowd.ended(waiting) - before < 60
    crowd.wait(*waiting)


def test_a_wave_is_no_barrier(crowd: Crowd) -> None:
    """A few items take long: all others have ended before the first of those."""
    client = crowd.client()
    long = {20, 40, 60, 80}
    items = [{"seconds": 12 if n in long else 0.01} for n in range(400)]
    batch_id = crowd.submit(client, "test.slow", items)
    crowd.wait(batch_id)
    late = crowd.rows(
        """SELECT count(*) FROM items WHERE batch_id = :id AND finished_at >
               (SELECT min(finished_at) FROM items WHERE batch_id = :id AND index = ANY(:long))
           AND index <> ALL(:long)""",
        id=batch_id,
        long=sorted(long),
    )
    # With a barrier it would be all that the first wave had no room for.
    assert late[0][0] <= 250


def test_work_that_hangs_leaves_slots_to_others(crowd: Crowd) -> None:
    """One client's downstream hangs: another's, and what needs none, goes on."""
    hog, other = crowd.client(), crowd.client()
    # A slice has at most 125 of so many, however quick they are thought to be: more than 28 slices.
    hanging = crowd.submit(hog, "test.slow", [{"seconds": 25} for _ in range(4_000)])
    wait_for(
        lambda: crowd.rows("SELECT count(*) FROM slices WHERE state = 'CLAIMED'")[0][0] >= 28,
        within=30,
    )
    began = time.monotonic()
    crowd.wait(
        crowd.submit(other, "test.slow", [{"key": "slow"}]),
        crowd.submit(other, "test.probe", [{"key": "fast"}]),
    )
    assert time.monotonic() - began < 20, "before anything of what hangs has ended"
    with crowd.engine.begin() as connection:
        connection.execute(
            text("UPDATE batches SET stopping = 'canceled' WHERE id = :id"), {"id": hanging}
        )
