"""One connection, from its beginning to its end, as the loop sees it.

HEAD → (BODY →) LINE → (FLUSH →) IDLE → HEAD …, and from anywhere CLOSING, then GONE. In LINE it
waits for a place, and then has a thread, which calls `answered`. Whatever waits for the peer or for
a place waits here, at the cost of some memory, and within the times of `bounds`.
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.message import Request

from app.server import bounds, refusals
from app.server.answering import After, Answering
from app.server.incoming import Incoming
from app.server.loop import READ, WRITE
from app.server.outgoing import Outgoing
from app.server.places import Place

HEAD, BODY, LINE, FLUSH, IDLE, CLOSING, GONE = (
    "head", "body", "line", "flush", "idle", "closing", "gone"
)  # fmt: skip
_READ = 64 * 1024
_RESET = struct.pack("ii", 1, 0)
_ENDS = (b"\r\n\r\n", b"\n\n")


class Connection:
    """`web`: what the connections of a process share (app/server/worker.py)."""

    def __init__(self, web: Any, sock: socket.socket, peer: Any, server: Any) -> None:
        sock.setblocking(False)
        self.socket, self.peer, self.server = sock, peer, server
        self.incoming, self.outgoing = Incoming(sock), Outgoing(sock)
        self.state = ""
        self.since = 0.0
        self.client: Any = None
        self.answering: Answering | None = None
        # The place at work that its thread has; the one to send a body in; the one it waits for.
        self.place: Place | None = None
        self.receiving: Place | None = None
        self._waits_for: Place | None = None
        self._web = web
        self._head = bytearray()
        self._requests = 0
        self._after = After.CLOSE
        self._become(HEAD)
        self._watch(READ)

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
        searched = max(0, len(self._head) - 3)
        self._head += data
        if any(self._head.find(end, searched) >= 0 for end in _ENDS):
            self._parse()
        elif len(self._head) > bounds.LONGEST_HEAD:
            self.refuse(*refusals.of(LimitRequestHeaders("it is too long")))

    def _parse(self) -> None:
        self._requests += 1
        data, self._head = bytes(self._head), bytearray()
        self.incoming.begin(data)
        try:
            if self._long_head(data):
                raise LimitRequestHeaders("it is too long")
            request = Request(self._web.cfg, self.incoming, self.peer, self._requests)
        except Exception as error:
            self.refuse(*refusals.of(error))
            return
        self.client = self._web.client_of(request)
        self.answering = self._web.answering(self, request)
        if self._is_whole(request):
            self._line_up()
        elif request._expected_100_continue or self._is_enough():
            self._receive()
        else:
            self._become(BODY)
            self._web.hurry(self)

    @staticmethod
    def _long_head(data: bytes) -> bool:
        return min(at for at in map(data.find, _ENDS) if at >= 0) > bounds.LONGEST_HEAD

    def _more_of_body(self, data: bytes) -> None:
        assert self.answering is not None  # noqa: S101 (made with the head)
        if data:
            self.incoming.feed(data)
        else:
            self.incoming.ended = True
        if self._is_whole(self.answering.request):
            self._line_up()
        elif self._is_enough():
            self._receive()

    def _is_enough(self) -> bool:
        """Whether a thread is to read the rest, if there is any."""
        return self.incoming.ended or self.incoming.arrived() >= bounds.SMALL_BODY

    def _is_whole(self, request: Request) -> bool:
        """Whether the body has arrived. Where the guess is wrong a thread waits for the rest."""
        reader = request.body.reader
        length = getattr(reader, "length", None)
        if length is not None:
            return bool(self.incoming.arrived() >= length)
        return self.incoming.ends_with(b"0\r\n\r\n")

    # It waits for a place, and is at work.

    def _receive(self) -> None:
        """Wait for a place to send a body in, then to be at work on it."""
        if self.state == GONE:
            return
        self._unwatch()
        self._become(LINE)
        self.receiving = self._web.receiving.ask(
            self.client, lambda _: self._web.loop.call(self._line_up)
        )

    def _line_up(self) -> None:
        if self.state == GONE:
            return
        if self.state != LINE:
            self._unwatch()
            self._become(LINE)
        self.incoming.only_arrived = False
        self._ask(self._web.answer)

    def _ask(self, task: Any) -> None:
        self._waits_for = self._web.work.ask(self.client, partial(self._web.submit, task, self))

    def hurried(self) -> None:
        """It had its time to be whole."""
        if self.state == BODY:
            self._receive()

    # It has been answered, or as much as was made of the answer.

    def answered(self, after: After) -> None:
        """Go on after a thread's work."""
        if self.state == GONE:
            return
        self._after = after
        self._waits_for = None
        self._give_back()
        if after is After.ABORT:
            self.vanish(reset=True)
        elif self.outgoing.held:
            self._become(FLUSH)
            self.outgoing.wait_from_now()
            self._watch(WRITE)
            self._web.unread_more(self)
        else:
            self._go_on()

    def _writable(self) -> None:
        before = self.outgoing.held
        try:
            done = self.outgoing.flush()
        except OSError:
            self.vanish()
            return
        self._web.unread -= before - self.outgoing.held
        if done:
            self._unwatch()
            self._go_on()

    def _go_on(self) -> None:
        if self._after is After.MORE:
            self._become(LINE)
            self._ask(self._web.go_on)
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
        self._web.log.debug("Refused %s: %s %s", self.peer, status, detail)
        self.incoming.only_arrived = True
        with suppress(OSError):
            self.outgoing.send(refusals.answer(status, kind, detail))
        self.close()

    def close(self) -> None:
        """Close it so that what was written arrives, though the peer may still be sending."""
        self._give_back()
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
            self._web.unread -= self.outgoing.held
        self._become(GONE)
        self._give_back()
        # At once, and not when a collector of cycles comes by: it may be much.
        self.incoming.drop()
        self.outgoing.drop()
        answering, self.answering = self.answering, None
        if answering is not None:
            self._web.pool.submit(answering.end)
        with suppress(OSError):
            if reset:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.socket.close()

    @property
    def silent(self) -> bool:
        """Whether nothing of a request has arrived."""
        return self.state == IDLE or (self.state == HEAD and not self._head)

    def overdue(self, now: float) -> None:
        """Look whether its time has passed."""
        waited = now - self.since
        if self.state == HEAD and waited > bounds.HEAD_SECONDS:
            if self._head:
                self.refuse(408, "timeout", "The request's head did not arrive in time.")
            else:
                self.vanish()
        elif self.state == IDLE and waited > self._web.keepalive:
            self.vanish()
        elif self.state == LINE and waited > bounds.LINE_SECONDS and self._withdraw():
            self.refuse(503, "busy", "Too much is asked for just now; come back in a moment.")
        elif self.state == FLUSH and now - self.outgoing.moved_at > bounds.UNREAD_SECONDS:
            self.vanish(reset=True)
        elif self.state == CLOSING and waited > bounds.LINGER_SECONDS:
            self.vanish()

    def _withdraw(self) -> bool:
        """Whether it could be taken out of the line it waits in, before its turn came."""
        if self.answering is None or self.answering.begun:
            return False
        place = self._waits_for or self.receiving
        places = self._web.work if self._waits_for else self._web.receiving
        return place is not None and places.withdraw(place)

    def _give_back(self) -> None:
        place, self.receiving = self.receiving, None
        if place is not None:
            self._web.receiving.leave(place)

    def _become(self, state: str) -> None:
        self._web.moved(self, state)
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
