"""Gunicorn's worker: connections in one loop, requests in threads, places shared fairly.

Gunicorn's own worker with threads reads a head in a thread, without a deadline, so that a few
hundred peers that send half of one stop everything. Here a thread is given to a request when its
head has arrived, and its body as well if that is small; and it is taken back as soon as what there
is of the answer is written or waits to be taken. How long a peer may take is in `bounds`.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn.http.message import Request
from gunicorn.workers.base import Worker

from app.server import bounds
from app.server.answering import Answering
from app.server.at_work import AtWork
from app.server.balance import COUNTS, Waiting
from app.server.company import Company
from app.server.connection import Connection
from app.server.crowd import Crowd
from app.server.door import Door
from app.server.insistence import Insistence
from app.server.known_clients import KnownClients
from app.server.loop import Loop
from app.server.memory import give_back_large_blocks
from app.server.places import Places
from app.server.refused import Refused
from app.server.serving import Serving
from app.server.times import Stop, overdue
from app.web.turns import TURN


class WebWorker(Worker):
    """A process that answers requests.

    `work`: the places at work. `receiving`: those for bodies, `storing` for their items, `queued`
    to wait for these. `threads`: what answers in them. `crowd`: its connections.
    """

    def init_process(self) -> None:
        """Make what the connections share, and run."""
        if self.cfg.is_ssl:
            raise RuntimeError("TLS is a proxy's work: this server speaks plain HTTP")
        give_back_large_blocks()
        sys.setswitchinterval(bounds.SWITCH_SECONDS)
        self.loop = Loop()
        self._company = Company()
        self._insistence = Insistence()
        self.threads = AtWork(self, self.cfg.threads)
        at_work = min(bounds.AT_WORK, self.cfg.threads)
        self.work = self._places(at_work)
        # With those who wait for a batch they must leave threads for work.
        receiving = max(1, min(bounds.RECEIVING, self.cfg.threads // 8))
        self.receiving = self._long_places(receiving)
        self.storing = self._places(bounds.STORING)
        queued = max(1, min(bounds.QUEUED, self.cfg.threads // 20))
        self.queued = self._long_places(queued)
        self.known = KnownClients()
        self.refused = Refused(self.threads.later)
        self.keepalive = self.cfg.keepalive
        most = min(self.cfg.worker_connections, bounds.most_connections())
        self.crowd = Crowd(most, self._tell)
        connect = partial(Connection, self)
        waiting = Waiting(self.age)
        self._door = Door(
            self.sockets, self.loop, self.crowd, waiting, connect, self.log, self.refused
        )
        self._hasty: deque[tuple[float, Connection]] = deque()
        self._tell(0)
        super().init_process()

    def _places(self, most: int) -> Places:
        """So many, of which a client has fewer while it is not alone."""
        return Places(
            most,
            max(1, most // bounds.EACH),
            beside=max(1, most // bounds.BESIDE),
            just_beside=max(1, most // bounds.JUST_BESIDE),
            company=self._company,
        )

    @staticmethod
    def _long_places(most: int) -> Places:
        """So many that are held for long."""
        return Places(most, max(1, most // bounds.EACH), spare=most // bounds.SPARE)

    # Gunicorn's side.

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: answer what has begun, and stop."""
        self.alive = False
        self.loop.wake()

    def run(self) -> None:
        """Serve until told to stop, or the parent has gone; then let what is under way end."""
        self._door.open()
        looked_at = 0.0
        while self.alive and self.ppid == os.getppid():
            self.loop.turn(self._pause())
            self._hurry()
            self._door.look()
            if time.monotonic() - looked_at >= 1.0:
                looked_at = time.monotonic()
                self.notify()
                self._door.open()
                self._look()
        self.alive = False
        self._door.shut()
        # Nobody is to leave it connections.
        COUNTS.forget(self.age)
        self._end()
        self.threads.end()
        self.loop.close()
        self._door.close()

    def _end(self) -> None:
        stop = Stop(self.cfg.graceful_timeout)
        while self.crowd and not stop.is_over:
            self.notify()
            self._each(stop.look)
            self.loop.turn(0.1 if self.crowd else 0.0)
            self._hurry()
            self._look()
        self._each(stop.end)

    def _pause(self) -> float:
        pause = 1.0
        if self._hasty:
            pause = min(pause, max(0.0, self._hasty[0][0] - time.monotonic()))
        if (left := self._door.left()) is not None:
            pause = min(pause, left)
        return pause

    def _hurry(self) -> None:
        while self._hasty and self._hasty[0][0] <= time.monotonic():
            self._hasty.popleft()[1].hurried()

    def _look(self) -> None:
        self.work.look()
        self.storing.look()
        self.refused.tell()
        now = time.monotonic()
        self._each(lambda connection: overdue(connection, now, self.keepalive))

    def _each(self, look: Callable[[Connection], None]) -> None:
        for connection in self.crowd.everybody():
            self.loop.do(partial(look, connection))

    def _tell(self, connections: int) -> None:
        if self.alive:
            COUNTS.tell(self.age, connections)

    # The connections' side, in the loop's thread.

    def hurry(self, connection: Connection) -> None:
        """Call its `hurried` in a moment."""
        self._hasty.append((time.monotonic() + bounds.PATIENCE_SECONDS, connection))

    def client_of(self, request: Request) -> Any:
        """Who sends it, as far as that is known; None for all others together."""
        return self.known.find(request)

    def answering(self, connection: Connection, request: Request) -> Answering:
        """What answers the request."""
        serving = Serving(self, connection.holding)
        connection.incoming.resting = serving.resting
        return Answering(
            self.wsgi,
            request,
            connection.incoming,
            connection.outgoing,
            self.cfg,
            {TURN: serving},
            lambda: self._insistence.refused(connection.holding.client),
        )
