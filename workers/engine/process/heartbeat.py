"""The heartbeat of a worker process: a row in `workers`, renewed as long as the process lives.

Every process that processes slices (a prefork child, or a worker with threads) has its own row.
When the heartbeat is older than `heartbeat_timeout`, the sweep gives the process's slices to
others. If the process was only paused, its later writes are refused: their claim is gone.

It has a connection of its own, which is kept: where the process's others are all in use, or the
server has none left to give, it goes on beating.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import BatchlineError, Unavailable
from app.core.ids import new_id
from app.core.jsontext import dumps
from app.db import transaction
from app.db.statements.sessions import LIMIT_WAIT_FOR_LOCKS
from app.db.statements.slice_claims import GIVE_BACK_CLAIMS
from app.db.statements.sweeps import IS_SWEEP_OVERDUE
from app.db.statements.workers import BEAT_WORKER, DELETE_WORKERS
from workers.engine.process.slots import Slots

log = structlog.get_logger(__name__)


@cache
def this_machine() -> str:
    """The kernel's boot id and pid namespace: where both are equal, a pid means the same process.

    Containers on one host differ, whatever their hostnames. Where neither can be read, the answer
    is unique.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"unknown {new_id()}"


class Heartbeat:
    """This process's row in `workers`. Make it after a fork, not before.

    `engine`: one that nobody else takes connections of; it needs a single one. `queue`: what it
    consumes; `slots`: how many slices it runs at once; `interval`: seconds.
    `swept_within`: seconds after which a sweep is overdue; what `when_overdue` was given is called
    then, at each beat.
    `main_pid`: the process that notes this one's death (workers/deaths.py), if one does.
    `operations`, `queues`: all that it has, and takes from. `slots_used`, `starving`: what it is
    doing, for readiness.
    """

    def __init__(
        self,
        worker_id: UUID,
        engine: Engine,
        *,
        queue: str,
        slots: int,
        interval: float,
        swept_within: float = math.inf,
        main_pid: int | None = None,
        operations: Iterable[str] = (),
        queues: Iterable[str] | None = None,
        slots_used: Slots | None = None,
        starving: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._id = worker_id
        self._engine = engine
        self._queue = queue
        self._slots = slots
        self._interval = interval
        self._swept_within = swept_within
        self._when_overdue: Callable[[], None] = lambda: None
        self._tries: Callable[[], dict[str, int]] = dict
        self._now: Callable[[], float] = time.monotonic
        self._saw: Callable[[str | None, float], None] = lambda _text, _began: None
        self._main_pid = main_pid
        self._operations = sorted(operations)
        self._queues = [queue] if queues is None else sorted(queues)
        self._slots_used = slots_used or Slots(slots)
        self._starving = starving
        self._beating = False
        self._written = False
        self._to_give_back: set[UUID] = set()
        # None while no heartbeat can be written.
        self._writing_since: float | None = -math.inf
        self._stopped = threading.Event()
        self._starting = threading.Lock()

    @property
    def worker_id(self) -> UUID:
        """The row's id. Starts the heartbeat if it has not been started.

        Raises Unavailable where the row could not be written yet: what this process claimed would
        be taken for a dead one's.
        """
        self.start()
        if not self._written:
            self._beat_once()
        if not self._written:
            raise Unavailable("The worker's heartbeat cannot be written just now.", retry_after=5)
        return self._id

    def start(self) -> None:
        """Write the row, and renew it from a thread. Does nothing if that was done before."""
        with self._starting:
            if not self._beating:
                self._beating = True
                self._beat_once()
                threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Stop, and remove the row: what the process still claims can be taken over at once."""
        self._stopped.set()
        if self._beating:
            try:
                with transaction(self._engine) as connection:
                    connection.execute(DELETE_WORKERS, {"ids": [self._id]})
            except (SQLAlchemyError, BatchlineError) as error:
                log.warning("worker.not_removed", error=str(error))

    def when_overdue(self, call: Callable[[], None]) -> None:
        """Call `call`, which must not take long, when nobody has swept for too long."""
        self._when_overdue = call

    def carry(
        self,
        *,
        tries: Callable[[], dict[str, int]],
        now: Callable[[], float],
        saw: Callable[[str | None, float], None],
    ) -> None:
        """Tell with each beat how `tries` went, and what it then reads of breakers to `saw`.

        With it goes the moment, by `now`, before it was read.
        """
        self._tries, self._now, self._saw = tries, now, saw

    def give_back(self, claim: UUID) -> None:
        """Give the claimed slice back with the next heartbeat that reaches the database."""
        self._to_give_back.add(claim)

    def could_be_written_for(self, seconds: float) -> bool:
        """Whether heartbeats of this process could be written for so long, after they could not.

        If not, another's silence says nothing yet: whatever kept this one from the database (it was
        away, full, had no connection left) may have kept the other.
        """
        since = self._writing_since
        return since is not None and time.monotonic() - since >= seconds

    def _beat(self) -> None:
        while not self._stopped.wait(self._interval):
            self._beat_once()

    def _beat_once(self) -> None:
        try:
            tries, began = self._tries(), self._now()
            with transaction(self._engine) as connection:
                breakers = connection.execute(
                    BEAT_WORKER,
                    {
                        "id": self._id,
                        "host": socket.gethostname(),
                        "machine": this_machine(),
                        "pid": os.getpid(),
                        "main_pid": self._main_pid,
                        "queue": self._queue,
                        "slots": self._slots,
                        "queues": self._queues,
                        "operations": self._operations,
                        "busy": self._slots_used.busy,
                        "idle": self._slots_used.idle,
                        "starving": self._starving(),
                        "tries": dumps(tries) if tries else None,
                    },
                ).scalar_one()
                overdue = self._swept_within < math.inf and bool(
                    connection.execute(
                        IS_SWEEP_OVERDUE, {"seconds": self._swept_within}
                    ).scalar_one()
                )
        except (SQLAlchemyError, BatchlineError) as error:
            log.warning("heartbeat.failed", error=str(error))
            self._writing_since = None
            return
        self._written = True
        self._saw(breakers, began)
        if self._writing_since is None:
            self._writing_since = time.monotonic()
        self._give_back_now()
        if overdue:
            self._when_overdue()

    def _give_back_now(self) -> None:
        """In a transaction of its own: a slice that is locked holds up no heartbeat for long."""
        claims = list(self._to_give_back)
        if not claims:
            return
        try:
            with transaction(self._engine) as connection:
                connection.execute(LIMIT_WAIT_FOR_LOCKS)
                connection.execute(GIVE_BACK_CLAIMS, {"claims": claims})
        except (SQLAlchemyError, BatchlineError) as error:
            log.warning("claims.not_given_back", error=str(error))
        else:
            self._to_give_back.difference_update(claims)
