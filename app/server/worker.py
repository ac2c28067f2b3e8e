"""Gunicorn's worker: connections in one loop, requests in threads, places shared fairly.

Gunicorn's own worker with threads reads a head in a thread, without a deadline, so that a few
hundred peers that send half of one stop everything. Here a thread is given to a request when its
head has arrived, and its body as well if that is small; and it is taken back as soon as what there
is of the answer is written or waits to be taken. How long a peer may take is in `bounds`.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.http.message import Request
from gunicorn.workers.base import Worker

from app.core.log_scrubbing import beginning_of_path
from app.server import bounds, refusals
from app.server.answering import After, Answering
from app.server.balance import COUNTS, Waiting
from app.server.company import Company
from app.server.connection import BUSY, Connection
from app.server.crowd import Crowd
from app.server.insistence import Insistence
from app.server.known_clients import KnownClients
from app.server.loop import READ, Loop
from app.server.memory import give_back_large_blocks
from app.server.places import Place, Places
from app.server.serving import Serving
from app.server.times import Stop, overdue
from app.web.turns import TURN

Task = Callable[[Connection, Place], None]
_AT_ONCE = 8
_NO_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PEER_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)


class WebWorker(Worker):
    """A process that answers requests.

    `work`: the places at work. `receiving`: those for bodies, `storing` for their items, `queued`
    to wait for these. `crowd`: its connections.
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
        self.pool = ThreadPoolExecutor(self.cfg.threads, thread_name_prefix="request")
        at_work = min(bounds.AT_WORK, self.cfg.threads)
        self.work = self._places(at_work)
        # With those who wait for a batch they must leave threads for work.
        receiving = max(1, min(bounds.RECEIVING, self.cfg.threads // 8))
        self.receiving = self._long_places(receiving)
        self.storing = self._places(bounds.STORING)
        queued = max(1, min(bounds.QUEUED, self.cfg.threads // 20))
        self.queued = self._long_places(queued)
        self.known = KnownClients()
        self.keepalive = self.cfg.keepalive
        most = min(self.cfg.worker_connections, bounds.most_connections())
        self.crowd = Crowd(most, self._tell)
        self._hasty: deque[tuple[float, Connection]] = deque()
        self._listening = False
        self._lacked_at = float("-inf")
        self._waiting = Waiting(self.age)
        self._tell(0)
        super().init_process()

    def _places(self, most: int) -> Places:
        """So many, of which a client has fewer while it is not alone."""
        return Places(
            most,
            max(1, most // bounds.EACH),
            beside=max(1, most // bounds.BESIDE),
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
        self._listen(True)
        looked_at = 0.0
        while self.alive and self.ppid == os.getppid():
            self.loop.turn(self._pause())
            self._hurry()
            if self._waiting.is_over():
                self._listen(True)
            if time.monotonic() - looked_at >= 1.0:
                looked_at = time.monotonic()
                self.notify()
                self._listen(True)
                self._look()
        self.alive = False
        self._listen(False)
        # Nobody is to leave it connections.
        COUNTS.forget(self.age)
        self._end()
        self.pool.shutdown(wait=False)
        self.loop.close()
        for listener in self.sockets:
            listener.close()

    def _end(self) -> None:
        stop = Stop(self.cfg.graceful_timeout)
        while self.crowd and not stop.is_over:
            self.notify()
            self._each(stop.look)
            self.loop.turn(0.1 if self.crowd else 0.0)
            self._hurry()
            self._look()
        self._each(stop.end)

    def _listen(self, on: bool) -> None:
        if on != self._listening:
            self._listening = on
            for listener in self.sockets:
                if on:
                    listener.setblocking(False)
                    self.loop.watch(listener.sock, READ, partial(self._accept, listener))
                else:
                    self.loop.unwatch(listener.sock)

    def _accept(self, listener: Any) -> None:
        for _ in range(_AT_ONCE):
            if self._waiting.begins():
                self._listen(False)
                return
            try:
                sock, peer = listener.accept()
            except OSError as error:
                if error.errno in _NO_FILES:
                    self._lacks(error)
                return
            if len(self.crowd) >= self.crowd.most and not self.crowd.make_room():
                self._turn_away(sock)
            else:
                self.crowd.add(Connection(self, sock, peer, listener.getsockname()))

    def _lacks(self, error: OSError) -> None:
        """There is no file for another connection."""
        now = time.monotonic()
        if now - self._lacked_at >= 1.0:
            self._lacked_at = now
            self.log.warning("No connection could be taken: %s", error)
        if not self.crowd.make_room():
            # Until the next look around.
            self._listen(False)

    @staticmethod
    def _turn_away(sock: socket.socket) -> None:
        sock.setblocking(False)
        with suppress(OSError):
            sock.send(refusals.answer(*BUSY))
            # What has not been read when it is closed would cost the peer the answer.
            sock.shutdown(socket.SHUT_WR)
            sock.recv(bounds.LONGEST_HEAD)
        sock.close()

    def _pause(self) -> float:
        pause = 1.0
        if self._hasty:
            pause = min(pause, max(0.0, self._hasty[0][0] - time.monotonic()))
        if (left := self._waiting.left()) is not None:
            pause = min(pause, left)
        return pause

    def _hurry(self) -> None:
        while self._hasty and self._hasty[0][0] <= time.monotonic():
            self._hasty.popleft()[1].hurried()

    def _look(self) -> None:
        self.work.look()
        self.storing.look()
        now = time.monotonic()
        self._each(lambda connection: overdue(connection, now, self.keepalive))

    def _each(self, look: Callable[[Connection], None]) -> None:
        for connection in self.crowd.everybody():
            self.loop.do(partial(look, connection))

    def _tell(self, connections: int) -> None:
        if self.alive:
            COUNTS.tell(self.age, connections)

    # The connections' side; all but `answer` and `go_on` in the loop's thread.

    def hurry(self, connection: Connection) -> None:
        """Call its `hurried` in a moment."""
        self._hasty.append((time.monotonic() + bounds.PATIENCE_SECONDS, connection))

    def later(self, task: Callable[[], None]) -> None:
        """Do that in a thread, whenever there is one."""
        # Where none more can be started it is done by one that is there.
        with suppress(RuntimeError):
            self.pool.submit(self.loop.do, task)

    def client_of(self, request: Request) -> Any:
        """Who sends it, as far as that is known; None for all others together."""
        return self.known.find(request)

    def answering(self, connection: Connection, request: Request) -> Answering:
        """What answers the request."""
        serving = Serving(self, connection)
        connection.incoming.resting = serving.resting
        return Answering(
            self.wsgi,
            request,
            connection.incoming,
            connection.outgoing,
            self.cfg,
            {TURN: serving},
            lambda: self._insistence.refused(connection.client),
        )

    def answer(self, connection: Connection, place: Place) -> None:
        """Answer the connection's request, in a thread."""
        self._work(connection, place, first=True)

    def go_on(self, connection: Connection, place: Place) -> None:
        """Make more of the connection's answer, in a thread."""
        self._work(connection, place, first=False)

    def submit(self, task: Task, connection: Connection, place: Place) -> None:
        """Let a thread do that for the connection, in the place that was got."""
        self.later(partial(task, connection, place))

    def _work(self, connection: Connection, place: Place, *, first: bool) -> None:
        connection.place = place
        answering = connection.answering
        assert answering is not None  # noqa: S101 (made before the place was asked for)
        after = After.ABORT
        try:
            if first:
                close = not self.alive or not self.keepalive
                after = answering.begin(connection.peer, connection.server, close=close)
            else:
                after = answering.go_on()
        except OSError as error:
            if error.errno not in _PEER_GONE:
                self.log.exception("Socket error while answering")
        except BaseException:
            asked = answering.request
            said = (asked.method, beginning_of_path(asked.path or ""))
            self.log.exception("Error while answering %s %s", *said)
            if not answering.begun:
                self.later(answering.end)
                after = self._failed(connection)
        finally:
            self._worked(connection, after)

    @staticmethod
    def _failed(connection: Connection) -> After:
        text = "Something went wrong on our side; it has been logged."
        connection.outgoing.sendall(refusals.answer(500, "internal", text))
        return After.CLOSE

    def _worked(self, connection: Connection, after: After) -> None:
        place = connection.place
        assert place is not None  # noqa: S101 (a thread has it)
        if after is After.TURN:
            self.work.leave(place)
            self.work.ask(connection.client, partial(self.submit, self.go_on, connection))
            return
        self.work.leave(place)
        self.loop.call(partial(connection.answered, after))
