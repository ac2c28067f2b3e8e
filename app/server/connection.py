"""One connection, from its beginning to its end, as the loop sees it.

HEAD → (BODY →) (ASKS →) LINE → (HELD →) (FLUSH →) IDLE → HEAD …, and from anywhere CLOSING, then
GONE. In ASKS it waits for a place to send a body in; in HELD an answer waits that is told later
(insistence.py). In LINE it waits for a place at work, and then has a
thread, which calls `answered`. Whatever waits for the peer or for a place waits here, at the cost
of some memory, and within the times of `bounds` (times.py).
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

from gunicorn.http.message import Request

from app.server import bounds, refusals
from app.server.answering import After, Answering
from app.server.arrival import Arrival
from app.server.holding import Holding
from app.server.incoming import Incoming
from app.server.loop import READ, WRITE
from app.server.outgoing import Outgoing
from app.server.places import Place

HEAD, BODY, ASKS, LINE, HELD, FLUSH, IDLE, CLOSING, GONE = (
    "head", "body", "asks", "line", "held", "flush", "idle", "closing", "gone"
)  # fmt: skip
BUSY = (503, "busy", refusals.BUSY)
_READ = 64 * 1024
_RESET = struct.pack("ii", 1, 0)


class Connection:
    """`web`: what the connections of a process share (app/server/worker.py)."""

    def __init__(self, web: Any, sock: socket.socket, peer: Any, server: Any) -> None:
        sock.setblocking(False)
        self.socket, self.peer, self.server = sock, peer, server
        self.incoming, self.outgoing = Incoming(sock), Outgoing(sock)
        self.holding = Holding(web)
        self.state = ""
        self.since = 0.0
        self.answering: Answering | None = None
        self._web = web
        self._arrival = Arrival(self.incoming, web.cfg, peer)
        self._after = After.CLOSE
        self._watch(READ)
        self._become(HEAD)

    # A request arrives.

    def _readable(self) -> None:
        try:
            data = self.socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            self.vanish()
            return
        if self.state == CLOSING:
            if not data:
                self.vanish()
        elif self.state == BODY:
            self._more_of_body(data)
        elif not data:
            # Also half of a head: nobody can be told what is wrong with it.
            self.vanish()
        else:
            if self.state == IDLE:
                self._become(HEAD)
            self._more_of_head(data)

    def _more_of_head(self, data: bytes) -> None:
        try:
            request = self._arrival.more_of_head(data)
        except Exception as error:
            self.refuse(*refusals.of(error))
            return
        if request is not None:
            self._begun(request)

    def _begun(self, request: Request) -> None:
        self.holding.client = self._web.client_of(request)
        self.answering = self._web.answering(self, request)
        if self._arrival.is_whole():
            self._line_up()
        elif request._expected_100_continue or self._arrival.is_enough():
            self._receive()
        else:
            self._become(BODY)
            self._web.hurry(self)

    def _more_of_body(self, data: bytes) -> None:
        self._arrival.more_of_body(data)
        if self._arrival.is_whole():
            self._line_up()
        elif self._arrival.is_enough():
            self._receive()

    # It waits for a place, and is at work.

    def _receive(self) -> None:
        """Wait for a place to send a body in, then to be at work on it."""
        if self.state == GONE:
            return
        self._unwatch()
        self._become(ASKS)
        self.holding.ask_to_receive(self._may_receive)

    def _may_receive(self) -> None:
        if self.state == GONE:
            return
        if self.holding.is_known_by_now(self._request):
            # That place was a stranger's.
            self.holding.end_receiving()
            self.holding.ask_to_receive(self._may_receive)
        else:
            self._line_up()

    def _line_up(self) -> None:
        if self.state == GONE:
            return
        self._unwatch()
        asked_since = self.since if self.state == ASKS else None
        self._become(LINE)
        # It waits for both no longer than it would for one.
        self.since = asked_since or self.since
        self.incoming.only_arrived = False
        self._ask(self._web.threads.answer)

    def _ask(self, task: Any, *, first: bool = False) -> None:
        self.holding.ask_to_work(partial(self._begin, task), first=first)

    def _begin(self, task: Any, place: Place) -> None:
        """It has a place at work. In whichever thread gave that back."""
        if self.holding.client is None and self._web.client_of(self._request) is not None:
            # Not from here, where the next one in line would be called, and from there the next.
            self._web.loop.call(partial(self._ask_as_known, task, place))
        else:
            self._web.threads.submit(task, self, place)

    def _ask_as_known(self, task: Any, place: Place) -> None:
        self.holding.give_up_work(place)
        self.holding.is_known_by_now(self._request)
        if self.holding.receiving is None:
            self._ask(task)
        else:
            # That place was a stranger's, too.
            self.holding.end_receiving()
            self._become(ASKS)
            self.holding.ask_to_receive(self._may_receive)

    def hurried(self) -> None:
        """It had its time to be whole."""
        if self.state == BODY:
            self._receive()

    @property
    def _request(self) -> Request:
        assert self.answering is not None  # noqa: S101 (made with the head)
        return self.answering.request

    # It has been answered, or as much as was made of the answer.

    def answered(self, after: After) -> None:
        """Go on after a thread's work."""
        if self.state == GONE:
            return
        self._after = after
        self.holding.end()
        if after is After.ABORT:
            self.vanish(reset=True)
        elif after is After.HELD:
            self._become(HELD)
        elif self.outgoing.held:
            self._flush()
        else:
            self._go_on()

    @property
    def keeps(self) -> int:
        """Bytes that its answer keeps while it waits to be taken, besides what is made of it."""
        return bounds.PAGE if self._after is After.MORE else 0

    def release(self) -> None:
        """Tell now what was held."""
        assert self.answering is not None  # noqa: S101 (it has its answer)
        self._after = self.answering.then
        self._flush()

    def _flush(self) -> None:
        self._become(FLUSH)
        self.outgoing.wait_from_now()
        self._watch(WRITE)
        self._web.crowd.unread_more(self)

    def _writable(self) -> None:
        try:
            done = self._flushed()
        except OSError:
            self.vanish()
            return
        if done:
            self._unwatch()
            self._go_on()

    def _flushed(self) -> bool:
        before = self.outgoing.held
        try:
            return self.outgoing.flush()
        finally:
            # Also what was taken before an error.
            self._web.crowd.unread -= before - self.outgoing.held

    def _go_on(self) -> None:
        if self._after is After.MORE:
            self._become(LINE)
            threads = self._web.threads
            self._ask(threads.go_on, first=threads.goes_first(self))
            return
        self.answering = None
        self.incoming.resting = nullcontext
        if self._after is After.CLOSE:
            self.close()
            return
        rest = self.incoming.take_buffered()
        self._become(HEAD if rest else IDLE)
        self._watch(READ)
        if rest:
            self._more_of_head(rest)

    # It ends.

    def refuse(self, status: int, kind: str, detail: str) -> None:
        """Tell the peer so, and close."""
        self._web.refused.note(kind, self.peer)
        self.incoming.only_arrived = True
        with suppress(OSError):
            self.outgoing.send(refusals.answer(status, kind, detail))
        self.close()

    def close(self) -> None:
        """Close it so that what was written arrives, though the peer may still be sending."""
        self.holding.end_receiving()
        if self.state != CLOSING:
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self.vanish()
                return
            self._become(CLOSING)
            if not self._watched:
                self._watch(READ)

    def vanish(self, *, reset: bool = False) -> None:
        """Close it at once. `reset`: drop also what the kernel still keeps for the peer."""
        if self.state == GONE:
            return
        self._unwatch()
        if self.state == FLUSH:
            self._web.crowd.unread -= self.outgoing.held
        self._become(GONE)
        self._web.threads.forget(self)
        self.holding.end_receiving()
        # At once, and not when a collector of cycles comes by: it may be much.
        self.incoming.drop()
        self.outgoing.drop()
        answering, self.answering = self.answering, None
        if answering is not None:
            self._web.threads.later(answering.end)
        with suppress(OSError):
            if reset:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.socket.close()

    @property
    def silent(self) -> bool:
        """Whether nothing of a request has arrived."""
        return self.state == IDLE or (self.state == HEAD and self._arrival.nothing)

    def make_room(self) -> bool:
        """Close it at once, for another; False where a thread is about to have it."""
        if self.state == ASKS:
            if not self.withdraw():
                return False
            self._web.refused.note(BUSY[1], self.peer)
            with suppress(OSError):
                self.outgoing.send(refusals.answer(*BUSY))
        elif self.state == HELD:
            with suppress(OSError):
                self.outgoing.flush()
        self.vanish()
        return True

    def withdraw(self) -> bool:
        """Whether it could be taken out of the line it waits in, before its turn came."""
        if self.answering is None or self.answering.begun:
            return False
        return self.holding.withdraw()

    def _become(self, state: str) -> None:
        self._web.crowd.moved(self, state)
        self.state, self.since = state, time.monotonic()

    def _watch(self, events: int) -> None:
        self._watched = True
        self._web.loop.watch(
            self.socket, events, self._readable if events == READ else self._writable
        )

    _watched = False

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._web.loop.unwatch(self.socket)
