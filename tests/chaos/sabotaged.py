"""Workers that fail at one exact moment of one batch, and what must have come of the batch.

Two workers and beat run as processes, on a database and a Redis database of their own. They are
shared by all tests of a module: those that died are started again, as `batchline serve` does.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from os import kill
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import redis
from sqlalchemy import Engine, Row, text

from app.batches.submission import Submission, accept
from app.clients.credentials import create_client
from app.core.settings import Settings
from app.db import make_engine, transaction
from app.db.migrations import upgrade
from app.formats.raw_item import RawItem
from app.messaging.broker import CONTROL_QUEUE, EXPRESS_QUEUE, FAST_QUEUE
from app.messaging.dispatch import Dispatcher
from handlers import Registry
from tests.chaos.arming import Arms, Moment
from tests.chaos.machine import below
from tests.conftest import TEST_HANDLERS, fresh_database
from tests.support.application import close_dispatcher
from tests.support.stack import Stack, running_stack, wait_for

WORKERS = ("worker", "worker-2")
# Slices of five: more than fit into one wave.
ITEMS = 300
_SLICE_ITEMS = 5
# Nothing may keep a batch from going on for longer than this, in seconds.
WITHIN = 60.0
_OURS = ("batchline.advance", "batchline.slice", "batchline.settle")
_REDIS_DATABASE = 13
# How often each batch has ended.
_COUNT_ENDINGS = (
    "CREATE TABLE endings (batch_id uuid)",
    """
    CREATE FUNCTION note_ending() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO endings VALUES (NEW.id); RETURN NEW; END $$
    """,
    """
    CREATE TRIGGER note_ending AFTER UPDATE OF finished_at ON batches FOR EACH ROW
    WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION note_ending()
    """,
)
_BATCH = text("SELECT * FROM batches WHERE id = :batch")
_COUNTS = text(
    """
    SELECT count(*) AS total, count(*) FILTER (WHERE status = 'SUCCESS') AS completed,
           count(*) FILTER (WHERE status = 'FAILED') AS failed,
           count(*) FILTER (WHERE status = 'INVALID') AS invalid,
           count(*) FILTER (WHERE status = 'CANCELED') AS canceled
    FROM items WHERE batch_id = :batch
    """
)
_EFFECTS = text(
    "SELECT key, data::text FROM records WHERE client_id = :client AND collection = 'probe'"
)
_ALIVE = text("SELECT count(*) FROM workers WHERE heartbeat_at > now() - interval '2 seconds'")


@dataclass
class Workers:
    """The processes, and what the test does to them. `ended`: the batches that have."""

    stack: Stack
    engine: Engine
    registry: Registry
    arms: Arms
    redis: Any
    ended: dict[UUID, Row[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._dispatcher = Dispatcher(self.stack.settings)

    def submit(
        self,
        moment: Moment | None = None,
        *,
        once: bool = True,
        first_takes: float = 0.0,
        **seen: Any,
    ) -> UUID:
        """Submit a batch whose effects show how often each took place; its id.

        `moment`, `once`, `seen`: what is to go wrong with it, see arming.py. `first_takes`: how
        long its first item does, in seconds.
        """
        client = create_client(self.engine, f"chords {uuid4()}")
        items: list[dict[str, Any]] = [{"key": f"k{number}"} for number in range(ITEMS)]
        items[0]["seconds"] = first_takes
        submission = Submission(client.client_id, "test.probe")
        if moment is not None:
            self.arms.arm(moment, submission.id, once=once, **seen)
        raw = [RawItem(json.dumps(item)) for item in items]
        accept(self.engine, self.registry, submission, raw)
        assert self._dispatcher.advance(submission.id)
        return submission.id

    def struck(self, batch_id: UUID, moment: Moment, *, times: int = 1) -> dict[str, Any]:
        """The first strike, once there have been so many; fails the test if there are not."""
        wait_for(
            lambda: len(self.arms.events("struck", batch_id, moment=moment)) >= times,
            within=WITHIN,
            what=lambda: f"{moment}\n{self.stack.tail()}",
        )
        return self.arms.events("struck", batch_id, moment=moment)[0]

    def goes_on(self, batch_id: UUID, since: float) -> float:
        """Wait until the batch has ended, and check that all is well with it.

        Returns the seconds from `since` (of the epoch) to its end. Fails above WITHIN.
        """

        def ended() -> Any:
            self.start_dead()
            return self.batch(batch_id).finished_at

        wait_for(
            ended,
            within=WITHIN,
            what=lambda: f"the end of {self.batch(batch_id)}\n{self.stack.tail()}",
        )
        self.ended[batch_id] = self.batch(batch_id)
        self.check(batch_id)
        seconds: float = self.ended[batch_id].finished_at.timestamp() - since
        assert seconds < WITHIN
        return seconds

    def check(self, batch_id: UUID) -> None:
        """It ended once, as it was when it did; its summary is a count over its items; and each
        of them had its effect once."""
        batch = self.batch(batch_id)
        assert batch == self.ended[batch_id]
        assert batch.status == "SUCCESS"
        [counts] = self.rows(_COUNTS, batch=batch_id)
        assert (counts.total, counts.completed) == (ITEMS, ITEMS)
        assert counts._asdict() == {name: getattr(batch, name) for name in counts._fields}
        effects = self.rows(_EFFECTS, client=batch.client_id)
        assert {row.key: json.loads(row.data) for row in effects} == {
            f"k{number}": [number] for number in range(ITEMS)
        }
        endings = text("SELECT count(*) FROM endings WHERE batch_id = :batch")
        assert self.rows(endings, batch=batch_id)[0][0] == 1
        assert not self.rows(text("SELECT FROM slices WHERE batch_id = :batch"), batch=batch_id)

    def batch(self, batch_id: UUID) -> Row[Any]:
        """The batch's row."""
        return self.rows(_BATCH, batch=batch_id)[0]

    def rows(self, query: Any, **parameters: Any) -> list[Row[Any]]:
        """The rows of a query."""
        with self.engine.connect() as connection:
            return list(connection.execute(query, parameters))

    def kill(self, main: int) -> float:
        """kill -9 of the worker with that main process; when, in seconds since the epoch."""
        for pid in [main, *below(main)]:
            with suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)
        return time.time()

    def unacked(self, batch_id: UUID | None = None) -> list[dict[str, Any]]:
        """The messages of a batch (of all) that workers hold, living or dead ones."""
        held = [json.loads(value)[0] for value in self.redis.hvals("unacked")]
        return [message for message in held if _is_of(message, batch_id)]

    def waiting(self, batch_id: UUID | None = None) -> list[dict[str, Any]]:
        """The messages of a batch (of all) that no worker has taken yet."""
        queues = (CONTROL_QUEUE, EXPRESS_QUEUE, FAST_QUEUE)
        listed = [json.loads(one) for name in queues for one in self.redis.lrange(name, 0, -1)]
        return [message for message in listed if _is_of(message, batch_id)]

    def nothing_waits(self, batch_id: UUID | None = None) -> bool:
        """Whether every message of a batch (of all) has been worked on."""
        return not self.waiting(batch_id) and not self.unacked(batch_id)

    def give_out_again(self) -> int:
        """Give every message that is not acknowledged to the living, as Redis's transport does
        after the visibility timeout, by the function that it does it with; how many."""
        held = len(self.unacked())
        with self._dispatcher.celery.connection_for_write() as connection:
            channel: Any = connection.default_channel
            for tag in self.redis.hkeys("unacked"):
                channel.qos.restore_by_tag(tag.decode())
        return held

    def start_dead(self) -> None:
        """Start the workers that have ended, as `batchline serve` does."""
        for name in WORKERS:
            process = self.stack.processes.get(name)
            if process is None or not process.running:
                self.stack.start("worker", name, options="-I tests.chaos.sabotage")

    def mend(self) -> None:
        """Let nothing fail, and wait until two workers with two children each are there."""
        self.arms.disarm()
        self.start_dead()
        wait_for(lambda: self.rows(_ALIVE)[0][0] >= 2 * len(WORKERS), what=self.stack.tail)


def _is_of(message: dict[str, Any], batch_id: UUID | None) -> bool:
    task, arguments = message["headers"]["task"], message["headers"]["kwargsrepr"]
    return task in _OURS and (batch_id is None or str(batch_id) in arguments)


@contextmanager
def sabotaged_workers(
    settings: Settings, postgres_url: str, registry: Registry, home: Path
) -> Iterator[Workers]:
    """The workers, ready. `settings`: whose Redis to use, in a database of its own there."""
    with ExitStack() as cleanup:
        database_url = cleanup.enter_context(fresh_database(postgres_url))
        redis_url = urlunsplit(
            urlsplit(settings.redis_url or "")._replace(path=f"/{_REDIS_DATABASE}")
        )
        engine = make_engine(database_url, name="batchline-tests")
        cleanup.callback(engine.dispose)
        upgrade(engine)
        with transaction(engine) as connection:
            for statement in _COUNT_ENDINGS:
                connection.execute(text(statement))
        server = redis.Redis.from_url(redis_url, socket_timeout=5)
        cleanup.callback(server.close)
        server.flushdb()
        arms = Arms(home / "arms")
        arms.folder.mkdir()
        ours = replace(
            settings,
            database_url=database_url,
            redis_url=redis_url,
            batchline_home=home,
            heartbeat_timeout=3.0,
            resend_after=3.0,
            sweep_interval=0.5,
        )
        extra = {"SABOTAGE": str(arms.folder), "MAX_SLICE_ITEMS": str(_SLICE_ITEMS)}
        stack = cleanup.enter_context(
            running_stack(ours, handlers=TEST_HANDLERS, processes=("beat",), extra=extra)
        )
        workers = Workers(stack, engine, registry, arms, server)
        cleanup.callback(close_dispatcher, workers._dispatcher)
        workers.mend()
        yield workers
