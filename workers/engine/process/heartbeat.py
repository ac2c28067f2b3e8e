"""The heartbeat of a worker process: a row in `workers`, renewed as long as the process lives.

Every process that processes slices (a prefork child, or a worker with threads) has its own row.
When the heartbeat is older than `heartbeat_timeout`, the sweep gives the process's slices to
others. If the process was only paused, its later writes are refused: their claim is gone.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from functools import cache
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import BatchlineError
from app.core.ids import new_id
from app.db import refuses_writes, transaction
from app.db.statements.slice_claims import GIVE_BACK_CLAIMS
from app.db.statements.workers import BEAT_WORKER, DELETE_WORKERS

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

    `queue`: what it consumes; `slots`: how many slices it runs at once; `interval`: seconds.
    `main_pid`: the process that notes this one's death (workers/deaths.py), if one does.
    """

    def __init__(
        self,
        worker_id: UUID,
        engine: Engine,
        *,
        queue: str,
        slots: int,
        interval: float,
        main_pid: int | None = None,
    ) -> None:
        self._id = worker_id
        self._engine = engine
        self._queue = queue
        self._slots = slots
        self._interval = interval
        self._main_pid = main_pid
        self._beating = False
        self._to_give_back: set[UUID] = set()
        # None while the database refuses heartbeats.
        self._writing_since: float | None = -math.inf
        self._stopped = threading.Event()
        self._starting = threading.Lock()

    @property
    def worker_id(self) -> UUID:
        """The row's id. Starts the heartbeat if it has not been started."""
        self.start()
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

    def give_back(self, claim: UUID) -> None:
        """Give the claimed slice back with the next heartbeat that reaches the database."""
        self._to_give_back.add(claim)

    def could_be_written_for(self, seconds: float) -> bool:
        """Whether the database has taken heartbeats for so long, after it refused them (disk full).

        If not, another process's silence says nothing yet.
        """
        since = self._writing_since
        return since is not None and time.monotonic() - since >= seconds

    def _beat(self) -> None:
        while not self._stopped.wait(self._interval):
            self._beat_once()

    def _beat_once(self) -> None:
        claims = list(self._to_give_back)
        try:
            with transaction(self._engine) as connection:
                connection.execute(
                    BEAT_WORKER,
                    {
                        "id": self._id,
                        "host": socket.gethostname(),
                        "machine": this_machine(),
                        "pid": os.getpid(),
                        "main_pid": self._main_pid,
                        "queue": self._queue,
                        "slots": self._slots,
                    },
                )
                if claims:
                    connection.execute(GIVE_BACK_CLAIMS, {"claims": claims})
        except (SQLAlchemyError, BatchlineError) as error:
            log.warning("heartbeat.failed", error=str(error))
            if refuses_writes(error):
                self._writing_since = None
        else:
            if self._writing_since is None:
                self._writing_since = time.monotonic()
            self._to_give_back.difference_update(claims)
