"""Notices that its own process takes nothing, although it could and messages wait.

Such a process lives, has its heartbeat and counts as a worker, while batches stand still: its
connection to the broker was lost without a word, its consumer was canceled, slots of its pool were
never given back. What is at fault cannot be known from inside, so after `patience` seconds it is
ended (`give_up`), and whatever keeps workers running starts the next one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from workers.engine.process.slots import Slots

log = structlog.get_logger(__name__)


class Starvation:
    """Looks at `slots` every `interval` seconds, and at the queues where nothing has been taken.

    `depth`: messages that wait in a queue, None where the broker does not say: then nothing is
    concluded. `excused`: whether the process need not take anything, as it has been told to stop.
    `clock`: a monotonic one, in seconds.
    """

    def __init__(
        self,
        slots: Slots,
        queues: Sequence[str],
        depth: Callable[[str], int | None],
        *,
        patience: float,
        interval: float,
        excused: Callable[[], bool],
        give_up: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slots = slots
        self._queues = queues
        self._depth = depth
        self._patience = patience
        self._interval = interval
        self._excused = excused
        self._give_up = give_up
        self._clock = clock
        self._taken = -1
        self._looked_at = clock()
        self._since: float | None = None
        self._stopped = threading.Event()

    @property
    def seconds(self) -> float | None:
        """For how long it has been so, None where it is not."""
        since = self._since
        return None if since is None else self._clock() - since

    def start(self) -> None:
        """Look from a thread from now on."""
        threading.Thread(target=self._run, name="starvation", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def look(self) -> bool:
        """One look; whether it has lasted for too long."""
        slots, now = self._slots, self._clock()
        # A process that was frozen has not been able to take anything.
        frozen = now - self._looked_at > 3 * self._interval + 1
        took = slots.taken != self._taken
        self._taken = slots.taken
        if took or frozen or slots.busy >= slots.total or self._excused() or not self._waiting():
            self._since = None
        elif self._since is None:
            self._since = now
        self._looked_at = self._clock()
        # Asking may have taken its time, in which a message was taken after all.
        return self._since is not None and (
            self._clock() - self._since >= self._patience and slots.taken == self._taken
        )

    def _waiting(self) -> bool:
        depths = {queue: self._depth(queue) for queue in self._queues}
        return any(depths.values())

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                if not self.look():
                    continue
            except Exception as error:  # whatever the broker's library raises
                log.warning("starvation.unknown", error=str(error))
                continue
            log.error(
                "worker.takes_nothing",
                seconds=round(self.seconds or 0.0, 1),
                busy=self._slots.busy,
                slots=self._slots.total,
                queues=",".join(self._queues),
            )
            self._give_up()
            return
