"""Batches through the real engine without its processes: slices in threads, messages in a list."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from app.batches.submission import Submission, accept
from app.core.ids import new_id
from app.core.jsontext import dumps, loads
from app.core.settings import Settings
from app.formats.raw_item import RawItem
from app.messaging.broker import FAST_QUEUE
from handlers import Registry
from workers.engine.plan.advance import advance
from workers.engine.process.heartbeat import Heartbeat
from workers.engine.run.run_slice import run_slice
from workers.engine.runtime import Runtime

_ENDED = text("SELECT finished_at FROM batches WHERE id = :batch_id")
_ITEMS = text(
    """
    SELECT index, key, status, attempts, code, message, result::text AS result FROM items
    WHERE batch_id = :batch_id ORDER BY index
    """
)


@dataclass(frozen=True, slots=True)
class Ended:
    """An item as it ended."""

    index: int
    key: str | None
    status: str
    attempts: int
    code: int | None
    message: str | None
    result: Any


class Driver:
    """Drives batches to their end, `slots` slices side by side; from several threads, too."""

    def __init__(self, engine: Engine, settings: Settings, registry: Registry, slots: int) -> None:
        self._engine = engine
        self._settings = settings
        self._registry = registry
        self._slots = slots
        self._heartbeat = Heartbeat(new_id(), engine, queue=FAST_QUEUE, slots=slots, interval=1)

    def run(
        self, client_id: UUID, operation: str, items: Iterable[Any], *, within: float = 60
    ) -> list[Ended]:
        """Submit a batch and see it to its end; its items' rows, results parsed."""
        raw = (RawItem(dumps(item)) for item in items)
        accepted = accept(self._engine, self._registry, Submission(client_id, operation), raw)
        messages: deque[tuple[str, Any]] = deque()
        # Without a message it waits in line, for room that others' batches have taken.
        in_line: tuple[str, Any] = ("line", 0.01)
        runtime = Runtime(
            settings=self._settings,
            engine=self._engine,
            registry=self._registry,
            heartbeat=self._heartbeat,
            send_wave=lambda _, wave, slices: messages.append(("wave", (wave, slices))),
            send_advance=lambda _, delay: messages.append(("advance", delay)),
        )
        batch_id, until = accepted.batch_id, time.monotonic() + within
        advance(runtime, batch_id)
        with ThreadPoolExecutor(self._slots) as threads:
            while messages or not self._ended(batch_id):
                assert time.monotonic() < until, f"not ended within {within} s"
                kind, what = messages.popleft() if messages else in_line
                if kind == "wave":
                    wave, slices = what
                    numbers = [number for number, _ in slices]
                    list(threads.map(lambda n: run_slice(runtime, batch_id, wave, n), numbers))  # noqa: B023
                else:
                    time.sleep(what)
                advance(runtime, batch_id)
        with self._engine.connect() as connection:
            return [
                Ended(**{**row, "result": loads(row["result"]) if row["result"] else None})
                for row in connection.execute(_ITEMS, {"batch_id": batch_id}).mappings()
            ]

    def _ended(self, batch_id: UUID) -> bool:
        with self._engine.connect() as connection:
            return bool(connection.execute(_ENDED, {"batch_id": batch_id}).scalar_one())

    def stop(self) -> None:
        self._heartbeat.stop()


@contextmanager
def driver(
    engine: Engine, settings: Settings, registry: Registry, *, slots: int = 3
) -> Iterator[Driver]:
    """A driver whose worker is gone afterwards."""
    made = Driver(engine, settings, registry, slots)
    try:
        yield made
    finally:
        made.stop()
