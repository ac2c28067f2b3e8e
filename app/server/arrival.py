"""A request as it arrives: its head, and of its body what comes before it has a thread."""

from __future__ import annotations

from typing import Any

from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.message import Request

from app.server import bounds
from app.server.incoming import Incoming

_ENDS = (b"\r\n\r\n", b"\n\n")


class Arrival:
    """What a connection has brought of its next request. For the loop's thread alone.

    A head is kept up to `LONGEST_HEAD` bytes, and the body in `incoming`.
    """

    def __init__(self, incoming: Incoming, cfg: Any, peer: Any) -> None:
        self._incoming, self._cfg, self._peer = incoming, cfg, peer
        self._head = bytearray()
        self._requests = 0
        self._request: Request | None = None

    @property
    def nothing(self) -> bool:
        """Whether not a byte of a head has come."""
        return not self._head

    def more_of_head(self, data: bytes) -> Request | None:
        """The request, once its head is whole. Raises what gunicorn's parser does."""
        searched = max(0, len(self._head) - 3)
        self._head += data
        if any(self._head.find(end, searched) >= 0 for end in _ENDS):
            return self._parsed()
        if len(self._head) > bounds.LONGEST_HEAD:
            raise LimitRequestHeaders("it is too long")
        return None

    def _parsed(self) -> Request:
        self._requests += 1
        data, self._head = bytes(self._head), bytearray()
        self._incoming.begin(data)
        if min(at for at in map(data.find, _ENDS) if at >= 0) > bounds.LONGEST_HEAD:
            raise LimitRequestHeaders("it is too long")
        self._request = request = Request(self._cfg, self._incoming, self._peer, self._requests)
        self._incoming.begin_body(request.body.reader)
        return request

    def more_of_body(self, data: bytes) -> None:
        """Keep it. None of it: the peer has ended its side."""
        if data:
            self._incoming.feed(data)
        else:
            self._incoming.ended = True

    def is_whole(self) -> bool:
        """Whether the body has arrived, so that the thread that reads it waits for nobody."""
        assert self._request is not None  # noqa: S101 (its head came first)
        return self._incoming.is_whole(getattr(self._request.body.reader, "length", None))

    def is_enough(self) -> bool:
        """Whether a thread is to read the rest of the body, if there is any."""
        return self._incoming.ended or self._incoming.arrived() >= bounds.SMALL_BODY
