"""Gunicorn's worker: connections in one loop, requests in threads, places shared fairly.

Gunicorn's own worker with threads reads a head in a thread, without a deadline, so that a few
hundred peers that send half of one stop everything. Here a thread is given to a request when its
head has arrived, and its body as well if that is small; and it is taken back as soon as what there
is of the answer is written or waits to be taken. How long a peer may take is in `bounds`.
"""

from __future__ import annotations

import errno
import os
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
from app.server.connection import FLUSH, GONE, HEAD, IDLE, Connection
from app.server.known_clients import KnownClients
from app.server.loop import READ, Loop
from app.server.memory import give_back_large_blocks
from app.server.places import Place, Places
from app.server.serving import Serving
from app.web.turns import TURN

Task = Callable[[Connection, Place], None]
_AT_ONCE = 8
_OLD = 1.0
_PEER_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)


class WebWorker(Worker):
    """A process that answers requests.

    `work`: the places at work. `receiving`: those for bodies, `storing` for their items. `unread`:
    bytes of answers that wait to be taken.
    """

    def init_process(self) -> None:
        """Make what the connections share, and run."""
        if self.cfg.is_ssl:
            raise RuntimeError("TLS is a proxy's work: this server speaks plain HTTP")
        give_back_large_blocks()
        sys.setswitchinterval(bounds.SWITCH_SECONDS)
        self.loop = Loop()
        self.pool = ThreadPoolExecutor(self.cfg.threads, thread_name_prefix="request")
        at_work = min(bounds.AT_WORK, self.cfg.threads)
        self.work = Places(at_work, max(1, at_work // bounds.EACH))
        # With those who wait for a batch they must leave threads for work.
        receiving = max(1, min(bounds.RECEIVING, self.cfg.threads // 8))
        self.receiving = Places(receiving, max(1, receiving // bounds.EACH))
        self.storing = Places(bounds.STORING, bounds.STORING // bounds.EACH)
        self.known = KnownClients()
        self.unread = 0
        self.keepalive = self.cfg.keepalive
        self._most = min(self.cfg.worker_connections, bounds.most_connections())
        self._connections: set[Connection] = set()
        self._by_state: dict[str, dict[Connection, None]] = {HEAD: {}, IDLE: {}, FLUSH: {}}
        self._hasty: deque[tuple[float, Connection]] = deque()
        self._listening = False
        self._waiting = Waiting(self.age)
        COUNTS.tell(self.age, 0)
        super().init_process()

    # Gunicorn's side.

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: answer what has begun, and stop."""
        self.alive = False
        self.loop.wake()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGQUIT, SIGINT: stop at once."""
        self.pool.shutdown(wait=False)
        super().handle_quit(sig, frame)

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
        self._end()
        self.pool.shutdown(wait=False)
        self.loop.close()
        for listener in self.sockets:
            listener.close()

    def _end(self) -> None:
        began = time.monotonic()
        while self._connections and time.monotonic() - began < self.cfg.graceful_timeout:
            self.notify()
            if time.monotonic() - began > bounds.STOP_LINGER_SECONDS:
                for connection in [each for each in self._connections if each.silent]:
                    connection.vanish()
            self.loop.turn(0.1 if self._connections else 0.0)
            self._hurry()
            self._look()

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
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self.log.warning("No connection could be taken: %s", error)
                    if not self._make_room():
                        # Until the next look around.
                        self._listen(False)
                return
            if len(self._connections) >= self._most and not self._make_room():
                with suppress(OSError):
                    sock.setblocking(False)
                    sock.send(refusals.answer(503, "busy", refusals.BUSY))
                sock.close()
                continue
            self._connections.add(Connection(self, sock, peer, listener.getsockname()))
            COUNTS.tell(self.age, len(self._connections))

    def _make_room(self) -> bool:
        """Close the connection that has been idle for longest, or is slowest with its head."""
        now = time.monotonic()
        for state, age in ((IDLE, 0.0), (HEAD, _OLD)):
            oldest = next(iter(self._by_state[state]), None)
            if oldest is not None and now - oldest.since >= age:
                oldest.vanish()
                return True
        return False

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
        now = time.monotonic()
        for connection in list(self._connections):
            connection.overdue(now)

    # The connections' side; all but `answer` and `go_on` in the loop's thread.

    def moved(self, connection: Connection, state: str) -> None:
        """The connection comes into that state."""
        if (left := self._by_state.get(connection.state)) is not None:
            left.pop(connection, None)
        if (entered := self._by_state.get(state)) is not None:
            entered[connection] = None
        elif state == GONE:
            self._connections.discard(connection)
            COUNTS.tell(self.age, len(self._connections))

    def hurry(self, connection: Connection) -> None:
        """Call its `hurried` in a moment."""
        self._hasty.append((time.monotonic() + bounds.PATIENCE_SECONDS, connection))

    def unread_more(self, connection: Connection) -> None:
        """The connection has an answer that was not taken. Past what may be, the oldest go."""
        self.unread += connection.outgoing.held
        if self.unread <= bounds.MOST_UNREAD:
            return
        others = (each for each in self._by_state[FLUSH] if each is not connection)
        for slow in sorted(others, key=lambda each: each.outgoing.moved_at):
            if self.unread <= bounds.MOST_UNREAD:
                return
            slow.vanish(reset=True)

    def client_of(self, request: Request) -> Any:
        """Who sends it, as far as that is known; None for all others together."""
        return self.known.find(request)

    def answering(self, connection: Connection, request: Request) -> Answering:
        """What answers the request."""
        serving = Serving(self, connection, request)
        connection.incoming.resting = serving.resting
        return Answering(
            self.wsgi,
            request,
            connection.incoming,
            connection.outgoing,
            self.cfg,
            {TURN: serving},
        )

    def answer(self, connection: Connection, place: Place) -> None:
        """Answer the connection's request, in a thread."""
        self._work(connection, place, first=True)

    def go_on(self, connection: Connection, place: Place) -> None:
        """Make more of the connection's answer, in a thread."""
        self._work(connection, place, first=False)

    def submit(self, task: Task, connection: Connection, place: Place) -> None:
        """Let a thread do that for the connection, in the place that was got."""
        self.pool.submit(task, connection, place)

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
