"""The application called for a request, in a thread; and its answer, made as it is taken.

What is made in pieces is made no further ahead than `AHEAD` bytes: then the thread is free, and the
connection goes on when the peer has taken them.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.message import Request

from app.server.bounds import AHEAD, SLICE_SECONDS
from app.server.incoming import Incoming
from app.server.input import Input
from app.server.outgoing import Outgoing

_TOO_MANY = 429


class After(enum.Enum):
    """What is next, once what was written has been taken."""

    MORE = "the answer goes on"
    TURN = "it goes on when it is its client's turn"
    HELD = "the peer is told in a while, since it does not wait where it is told to"
    KEEP = "another request may come"
    CLOSE = "the connection is closed"
    ABORT = "it is closed at once: the peer has gone, or must see that the answer is not whole"


class Response(wsgi.Response):
    """Gunicorn's, which says `Connection: close` where the body has not been read to its end."""

    def __init__(self, request: Request, outgoing: Outgoing, cfg: Any) -> None:
        super().__init__(request, outgoing, cfg)
        self.whole: Callable[[], bool] = lambda: True

    def send_headers(self) -> None:
        """Decide whether the connection is kept, and say so."""
        if not self.headers_sent and not self.must_close and not self.whole():
            self.force_close()
        super().send_headers()


class Answering:
    """One request being answered. `extra`: what the application finds in its environ besides.

    `insists`: asked where it has too much already (429), whether it is to be told so later.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        request: Request,
        incoming: Incoming,
        outgoing: Outgoing,
        cfg: Any,
        extra: dict[str, Any],
        insists: Callable[[], bool] = lambda: False,
    ) -> None:
        self._application = application
        self._incoming = incoming
        self._outgoing = outgoing
        self._cfg = cfg
        self._extra = extra
        self._insists = insists
        self.request = request
        self._response: Response | None = None
        self._chunks: Iterable[bytes] | None = None
        self._iterator: Iterator[bytes] | None = None
        # What is next after an answer that is held.
        self.then = After.CLOSE

    def begin(self, peer: Any, server: Any, *, close: bool) -> After:
        """Call the application, and write what it answers. `close`: keep the connection no more."""
        self._incoming.expected = self.request._expected_100_continue
        self.request._expected_100_continue = False
        response, environ = wsgi.create(
            self.request,
            self._outgoing,
            peer,
            server,
            self._cfg,
            response_class=Response,
        )
        self._response = response
        response.whole = self._is_read
        if close or self._asks_to_close():
            response.force_close()
        environ["wsgi.multithread"] = True
        environ["wsgi.input"] = Input(self.request.body)
        environ.update(self._extra)
        self._chunks = self._application(environ, response.start_response)
        self._iterator = iter(self._chunks)
        if response.status_code == _TOO_MANY and self._insists():
            return self._hold(response)
        return self.go_on()

    def _hold(self, response: Response) -> After:
        """Write the answer, and send nothing of it yet."""
        for piece in self._iterator or ():
            response.write(piece)
        response.close()
        self.end()
        self.then = After.CLOSE if response.should_close() else After.KEEP
        return After.HELD

    def go_on(self) -> After:
        """Make more of the answer. What the application raises is raised."""
        response, outgoing = self._response, self._outgoing
        assert response is not None  # noqa: S101 (begun)
        assert self._iterator is not None  # noqa: S101
        began = time.monotonic()
        for piece in self._iterator:
            response.write(piece)
            if not outgoing.flush() and outgoing.held > AHEAD:
                return After.MORE
            if time.monotonic() - began > SLICE_SECONDS:
                return After.TURN
        response.close()
        outgoing.flush()
        self.end()
        return After.CLOSE if response.should_close() else After.KEEP

    @property
    def begun(self) -> bool:
        """Whether anything of the answer has been written."""
        return self._response is not None and bool(self._response.headers_sent)

    def end(self) -> None:
        """Let the application give back what its answer holds."""
        chunks, self._chunks, self._iterator = self._chunks, None, None
        close = getattr(chunks, "close", None)
        if close is not None:
            close()

    def _asks_to_close(self) -> bool:
        """Whether the peer says that it is the last request, among whatever else it says of it."""
        return any(
            name == "CONNECTION" and "close" in map(str.strip, value.lower().split(","))
            for name, value in self.request.headers
        )

    def _is_read(self) -> bool:
        """Whether the body has been read, or what is left of it has arrived and is dropped."""
        body, incoming = self.request.body, self._incoming
        if incoming.ended:
            return False
        incoming.only_arrived = True
        if not self._lacks(body.reader):
            return not body.failed
        # That nobody wants it is no reason to take thousands of chunks apart.
        if hasattr(body.reader, "parser") and not incoming.has_followed_chunks:
            return False
        with suppress(Exception):
            while body.read(65536):
                pass
        return not body.failed and not self._lacks(body.reader)

    @staticmethod
    def _lacks(reader: Any) -> bool:
        length = getattr(reader, "length", None)
        return bool(length) if length is not None else getattr(reader, "parser", None) is not None
