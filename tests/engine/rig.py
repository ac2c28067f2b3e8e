"""The engine without Celery: its messages are kept, and the test delivers them as it likes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, Row, text

from app.batches.actions import act
from app.batches.appending import append
from app.batches.submission import Submission, accept
from app.clients.credentials import create_client
from app.core import actor, lifecycle
from app.core.ids import new_id
from app.core.settings import Settings
from app.db import transaction
from app.formats.raw_item import RawItem
from app.messaging.broker import LONGEST_COUNTDOWN
from handlers import Registry
from workers.engine.claim.claims import ClaimedSlice, LostClaim, claim_slice
from workers.engine.figures.costs import CostBook
from workers.engine.figures.slots import SlotCount
from workers.engine.plan.advance import advance
from workers.engine.planned_slice import PlannedSlice
from workers.engine.process.heartbeat import Heartbeat
from workers.engine.rescue.sweep import sweep
from workers.engine.run.run_slice import process, run_slice
from workers.engine.run.turns import move_on
from workers.engine.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Message:
    """A task that was sent. Without a `number` it is an `advance`; `turn`: of whoever is next."""

    batch_id: UUID
    wave: int = 0
    number: int | None = None
    delay: float = 0.0
    turn: bool = False


class SimulatedWorker(Heartbeat):
    """A worker process that lives until the test says otherwise."""

    def __init__(self, engine: Engine, registry: Registry, slots: int) -> None:
        self.uuid = new_id()
        self.its_slots = slots
        self.has = [operation.name for operation in registry]
        super().__init__(self.uuid, engine, queue="fast", slots=slots, interval=3600)
        self.set_heartbeat("now() + interval '1 day'")

    @property
    def worker_id(self) -> UUID:
        """The row's id."""
        return self.uuid

    def give_back(self, claim: UUID) -> None:
        """Give the claim back at once, as the next heartbeat would."""
        self.run(
            """UPDATE slices SET state = 'READY', claim = NULL, worker_id = NULL,
                                 sent_at = '-infinity'
               WHERE claim = :claim AND state = 'CLAIMED'""",
            claim=claim,
        )

    def die(self) -> None:
        """Stop beating, long ago."""
        self.set_heartbeat("now() - interval '1 day'")

    def set_heartbeat(self, when: str) -> None:
        """The heartbeat, as an SQL expression."""
        self.run(
            f"""INSERT INTO workers (id, hostname, pid, queue, slots, operations, undoes,
                                     heartbeat_at)
                VALUES (:id, 'test', 1, 'fast', :slots, :has, true, {when})
                ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at,
                                               operations = excluded.operations""",
            id=self.uuid,
            has=self.has,
            slots=self.its_slots,
        )

    def run(self, statement: str, **parameters: Any) -> None:
        """Run one statement in a transaction of its own."""
        with transaction(self._engine) as connection:
            connection.execute(text(statement), parameters)


@dataclass
class Rig:
    """One client's batches, and the messages that the engine has sent of them.

    `slots`: of each worker, so that there is room for twice as many slices.
    """

    engine: Engine
    settings: Settings
    registry: Registry
    messages: list[Message] = field(default_factory=list)
    slots: int = 1
    client_id: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.client_id = create_client(self.engine, f"rig {uuid4()}").client_id
        self.runtime = self.worker()

    def worker(self, registry: Registry | None = None) -> Runtime:
        """A runtime with a living worker of its own.

        `registry`: what it has, where that is not what the rig's others have.
        """
        registry = registry or self.registry
        return Runtime(
            settings=self.settings,
            engine=self.engine,
            registry=registry,
            heartbeat=SimulatedWorker(self.engine, registry, self.slots),
            send_wave=self._send_wave,
            send_advance=self._send_advance,
            send_turn=lambda batch_id, _: self.messages.append(Message(batch_id, turn=True)),
            costs=CostBook(),
            slots=SlotCount(self.settings.heartbeat_timeout),
        )

    def _send_advance(self, batch_id: UUID, delay: float) -> None:
        if delay <= LONGEST_COUNTDOWN:
            self.messages.append(Message(batch_id, delay=delay))

    def _send_wave(self, batch_id: UUID, wave: int, slices: list[tuple[int, PlannedSlice]]) -> None:
        self.messages += [
            Message(batch_id, wave, number, planned.delay) for number, planned in slices
        ]
        self.messages.append(Message(batch_id))  # the chord's callback, whenever it comes

    def submit(
        self, operation: str | None, items: Iterable[dict[str, Any]], pad: int = 0, **options: Any
    ) -> UUID:
        """Submit a batch; its `advance` is sent, as the API does. Items are widened by `pad`."""
        accepted = accept(
            self.engine,
            self.registry,
            Submission(self.client_id, operation, **options),
            [RawItem(json.dumps(item) + " " * pad) for item in items],
        )
        self.messages.append(Message(accepted.batch_id))
        return accepted.batch_id

    def append(self, batch_id: UUID, items: list[dict[str, Any]]) -> None:
        """More items for an OPEN batch."""
        with transaction(self.engine) as connection:
            append(
                connection,
                self.registry,
                self.client_id,
                batch_id,
                [RawItem(json.dumps(item)) for item in items],
                count=len(items),
                most=1_000_000,
            )

    def act(self, batch_id: UUID, action: str, **options: Any) -> None:
        """Make the move, and send `advance` where that is asked for.

        Batches are approved by a key that has nothing to do with them.
        """
        actor.begin(actor.Actor(key_id=new_id()) if action == "approve" else actor.NOBODY)
        if act(self.engine, self.client_id, batch_id, action, **options):
            self.messages.append(Message(batch_id))

    def deliver(self, message: Message, runtime: Runtime | None = None) -> None:
        """Do what a worker does with the message."""
        runtime = runtime or self.runtime
        if message.turn:
            move_on(runtime, message.batch_id)
        elif message.number is None:
            advance(runtime, message.batch_id)
        else:
            run_slice(runtime, message.batch_id, message.wave, message.number)

    def claim(self, message: Message, runtime: Runtime) -> ClaimedSlice | None:
        """Claim the message's slice, and leave it at that for now."""
        assert message.number is not None
        with transaction(self.engine) as connection:
            claimed = claim_slice(
                connection,
                self.registry,
                message.batch_id,
                message.wave,
                message.number,
                runtime.heartbeat.worker_id,
            )
        return claimed if isinstance(claimed, ClaimedSlice) else None

    def finish(self, claimed: ClaimedSlice, runtime: Runtime) -> bool:
        """Do a claimed slice's work; False where it was somebody else's by then."""
        try:
            process(runtime, claimed)
        except LostClaim:
            return False
        return True

    def deliver_all(self, *, most: int = 1000) -> None:
        """Deliver what there is, and what comes of it, until nothing more is sent."""
        for _ in range(most):
            if not self.messages:
                return
            message = self.messages.pop(0)
            if message.delay:
                time.sleep(min(message.delay, 0.5))
            self.deliver(message)
        raise AssertionError("messages without end")

    def time_passes(self) -> None:
        """For whatever waits for a minute or so, it is over."""
        self.run(
            """UPDATE batches SET created_at = created_at - interval '1 minute',
                                  turn_at = turn_at - interval '1 minute'"""
        )
        self.run("UPDATE batches SET doing_at = doing_at - interval '1 hour' WHERE doing <> ''")
        self.run(
            """UPDATE slices SET sent_at = sent_at - interval '1 hour',
                                 not_before = not_before - interval '1 hour'
               WHERE state = 'READY' AND sent_at <> '-infinity'"""
        )

    def sweep(self) -> dict[str, int]:
        """The sweep, as beat has it run."""
        return sweep(self.runtime)

    def run_out(self, *batch_ids: UUID, within: float = 60) -> None:
        """Deliver and sweep until these have ended; fails if that takes too long."""
        self.run_until(lambda _: False, *batch_ids, within=within)

    def run_until(
        self, reached: Callable[[Any], bool], *batch_ids: UUID, within: float = 60
    ) -> None:
        """The same until each has ended, or its row is as wanted: `reached` says so."""
        deadline = time.monotonic() + within
        while left := [
            batch_id
            for batch_id in batch_ids
            if self.under_way(batch_id) and not reached(self.batch(batch_id))
        ]:
            assert time.monotonic() < deadline, [
                (self.batch(one), self.items(one), self.slices(one)) for one in left
            ]
            self.deliver_all()
            self.time_passes()
            self.sweep()
            if not self.messages:
                time.sleep(0.01)

    def there(self, batch_id: UUID) -> bool:
        """Whether there is such a batch."""
        return bool(self.rows("SELECT 1 FROM batches WHERE id = :id", id=batch_id))

    def under_way(self, batch_id: UUID) -> bool:
        """Whether the batch has not ended, or goes on by a long action. Not if it is gone."""
        return bool(
            self.rows(
                """SELECT 1 FROM batches
                   WHERE id = :id AND (finished_at IS NULL OR doing IS NOT NULL)""",
                id=batch_id,
            )
        )

    def run(self, statement: str, **parameters: Any) -> None:
        """Run one statement in a transaction of its own."""
        with transaction(self.engine) as connection:
            connection.execute(text(statement), parameters)

    def rows(self, query: str, **parameters: Any) -> list[Row[Any]]:
        """The rows of a query."""
        with self.engine.connect() as connection:
            return list(connection.execute(text(query), parameters))

    def batch(self, batch_id: UUID) -> Any:
        """The batch's row."""
        return self.rows("SELECT * FROM batches WHERE id = :id", id=batch_id)[0]

    def items(self, batch_id: UUID) -> list[Any]:
        """Its items' rows, in order."""
        return self.rows("SELECT * FROM items WHERE batch_id = :id ORDER BY index", id=batch_id)

    def slices(self, batch_id: UUID) -> list[Any]:
        """The rows of its wave under way, without the moments."""
        return self.rows(
            """SELECT wave, number, state, phase, first_index, last_index, picks, size, completed,
                      failed, invalid, parked_at IS NOT NULL AS parked
               FROM slices WHERE batch_id = :id ORDER BY wave, number""",
            id=batch_id,
        )

    def statuses(self, batch_id: UUID) -> list[str]:
        """How its items stand, in order."""
        return [row.status for row in self.items(batch_id)]

    def effects(self) -> dict[str, list[int]]:
        """What took effect, by key: the items' uids in the order in which they did."""
        rows = self.rows(
            "SELECT key, data FROM records WHERE client_id = :id AND collection = 'log'",
            id=self.client_id,
        )
        return {row.key: row.data for row in rows}

    @staticmethod
    def ended(status: str) -> bool:
        """Whether that is how a batch ends."""
        return status in lifecycle.BATCH_ENDED
