"""Sends due deliveries, each try on a thread that nothing else is done on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import structlog
from redis import Redis
from sqlalchemy import Engine

from app.db import transaction
from app.events.listening import listen
from app.events.notify import DELIVERIES_CHANNEL
from app.webhooks.addresses import Policy
from app.webhooks.claiming import MOST_OF_CLIENT, Claimed, claim_due, release
from app.webhooks.delivering import attempt

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 64
"""Most tries under way in a process. A thread is made when it is first needed."""
# The part of them that is for clients with nothing under way.
_RESERVED = 4
# Seconds: how long one wait for a notification lasts, and the pause after an error.
_PATIENCE = 2.0
_AFTER_TROUBLE = 1.0


class Sender:
    """Claims what is due and sends it, when it is told to look. One a process.

    It has threads of its own, so items and deliveries cannot keep each other waiting: `most` tries
    are under way at once, of them at most MOST_OF_CLIENT of one client (over all processes). While
    fewer than a quarter of the threads are free, those are for clients that have nothing under way.
    If receivers of so many clients hang that no thread is left, others wait until the first of
    those tries has reached its time limit.

    `engine`: its own, of which two connections are enough, since none is held while something is
    sent. `allowed`: where it may go. `noted`: called, in whatever thread,
    with the outcome of each try. While nothing is due it does nothing; it never looks unless it is
    told.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        allowed: Policy,
        most: int = MOST_AT_ONCE,
        noted: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._allowed = allowed
        self._most = most
        self._noted = noted
        self._news = threading.Condition()
        self._asked = False
        self._stopped = False
        self._under_way: dict[UUID, Claimed] = {}
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="webhook")

    def start(self, redis: Redis | None = None) -> None:
        """Look whenever it is told to from now on; by `redis` too, where others say so."""
        threading.Thread(target=self._run, name="webhooks", daemon=True).start()
        if redis is not None:
            threading.Thread(
                target=listen,
                args=(redis, self, DELIVERIES_CHANNEL),
                kwargs={"patience": _PATIENCE},
                name="webhook-calls",
                daemon=True,
            ).start()

    def look(self) -> None:
        """Have it look for what is due. Takes no time."""
        with self._news:
            self._asked = True
            self._news.notify_all()

    def stop(self) -> None:
        """Begin no further try."""
        with self._news:
            self._stopped = True
            self._news.notify_all()

    def close(self, seconds: float) -> None:
        """Stop; give the tries under way so long to end, and what is left to other processes.

        What was given back may have been sent all the same: it is then sent twice.
        """
        self.stop()
        with self._news:
            self._news.wait_for(lambda: not self._under_way, max(0.0, seconds))
            left = list(self._under_way.values())
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._give_back(left)

    # What `listen` asks and tells.

    def goes_on(self) -> bool:
        """Whether to listen any longer."""
        return not self._stopped

    def begin(self) -> None:
        """Look: what was told before the subscription began was not heard."""
        self.look()

    def hear(self, message: bytes) -> None:
        """Look."""
        self.look()

    def end(self) -> None:
        """Nothing is heard for now: then the sweep has workers called (workers/sweeping.py)."""

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(
                    lambda: self._stopped or (self._asked and len(self._under_way) < self._most)
                )
                if self._stopped:
                    return
                free = self._most - len(self._under_way)
            try:
                self._begin(free)
            except Exception as error:  # whatever it is, the thread goes on
                log.warning("webhook.not_claimed", error=str(error))
                time.sleep(_AFTER_TROUBLE)

    def _begin(self, free: int) -> None:
        """Claim what there are threads for, and hand it to them."""
        spare = self._most // _RESERVED
        with self._news:
            # Before the claim: what is said while it is made is looked for afterwards.
            self._asked = False
        claimed = []
        if free > spare:
            claimed = claim_due(self._engine, free - spare, of_client=MOST_OF_CLIENT)
        if free - len(claimed) <= spare:
            claimed += claim_due(self._engine, free - len(claimed), of_client=1)
        with self._news:
            while claimed and not self._stopped:
                try:
                    self._threads.submit(self._try, claimed[0])
                except RuntimeError as error:  # the system has no thread left
                    log.warning("webhook.no_thread", error=str(error))
                    break
                one = claimed.pop(0)
                self._under_way[one.id] = one
        self._give_back(claimed)

    def _try(self, claimed: Claimed) -> None:
        try:
            attempt(self._engine, claimed, allowed=self._allowed, noted=self._noted)
        except Exception as error:  # its claim becomes void, and it is sent again
            log.warning("webhook.not_written", delivery=str(claimed.id), error=str(error))
        finally:
            with self._news:
                self._under_way.pop(claimed.id, None)
                # A thread is free, and the client has one try less under way.
                self._asked = True
                self._news.notify_all()

    def _give_back(self, claimed: list[Claimed]) -> None:
        if claimed:
            log.warning("webhook.given_back", number=len(claimed))
            with transaction(self._engine) as connection:
                release(connection, claimed)
