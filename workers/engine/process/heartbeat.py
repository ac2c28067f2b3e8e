"""Who this worker process is: one row with a heartbeat, by which its claims are known to live.

Every process that processes slices (a prefork child, or a worker with threads) has its own row.
When the heartbeat is older than `heartbeat_timeout`, the sweep gives the process's slices to
others; should it come back, its writes are refused, since they name a claim that is gone.
"""

from __future__ import annotations

import os
import socket
import threading
from functools import cache
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import BatchlineError
from app.core.ids import new_id
from app.db import transaction
from app.db.statements.slice_claims import GIVE_BACK_CLAIMS
from app.db.statements.workers import BEAT_WORKER, DELETE_WORKERS

log = structlog.get_logger(__name__)


@cache
def this_machine() -> str:
    """Names the kernel and the set of processes we are in: where equal, a pid means the same.

    Containers on one host differ, whatever their hostnames. Where it cannot be told,
    it is like nobody else's.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"unknown {new_id()}"


class WorkerIdentity:
    """This process's row. `start` begins the heartbeat; safe to call again, not after a fork.

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
        self._orphans: set[UUID] = set()
        self._stopped = threading.Event()
        self._starting = threading.Lock()

    @property
    def id(self) -> UUID:
        """The row's id. Starts the heartbeat where it does not beat yet."""
        self.start()
        return self._id

    def start(self) -> None:
        """Let the heart beat in a thread, if it does not yet."""
        with self._starting:
            if not self._beating:
                self._beating = True
                self._beat_once()
                threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Stop beating and remove the row: whatever is still claimed may be taken at once."""
        self._stopped.set()
        if self._beating:
            try:
                with transaction(self._engine) as connection:
                    connection.execute(DELETE_WORKERS, {"ids": [self._id]})
            except (SQLAlchemyError, BatchlineError) as error:
                log.warning("worker.not_removed", error=str(error))

    def orphan(self, claim: UUID) -> None:
        """Give the claimed slice back as soon as the database can be reached."""
        self._orphans.add(claim)

    def _beat(self) -> None:
        while not self._stopped.wait(self._interval):
            self._beat_once()

    def _beat_once(self) -> None:
        orphans = list(self._orphans)
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
                if orphans:
                    connection.execute(GIVE_BACK_CLAIMS, {"claims": orphans})
        except (SQLAlchemyError, BatchlineError) as error:
            log.warning("heartbeat.failed", error=str(error))
        else:
            self._orphans.difference_update(orphans)
