"""Answers that are produced while they are sent: in pieces, compressed where that is asked for.

The server makes no more of them than the client takes (app/server/answering.py).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator

from flask import Request, Response

from app.web.still_good import require_good, still_good

_PIECE = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
# The text is repetitive: the quickest level takes off nine tenths of it.
_LEVEL = 1


def streamed(
    request: Request, chunks: Iterable[bytes], mimetype: str, *, filename: str | None = None
) -> Response:
    """A response of `chunks`, gzipped if the request takes that. It ends with the request's key.

    An exception that `chunks` raises once the answer has begun breaks the connection off, so that
    the client cannot take the answer for complete.
    """
    headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-store"}
    if filename is not None:
        headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    body = _while_good(chunks, still_good())
    if request.accept_encodings.quality("gzip") > 0:
        headers["Content-Encoding"] = "gzip"
        body = _gzipped(body)
    return Response(_pieces(body), headers=headers, mimetype=mimetype)


def _while_good(chunks: Iterable[bytes], is_good: Callable[[], bool]) -> Iterator[bytes]:
    for chunk in chunks:
        require_good(is_good)
        yield chunk


def _gzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for chunk in chunks:
        yield gzip.compress(chunk)
    yield gzip.flush()


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, in pieces worth sending and small enough to see that sending goes on."""
    kept = b""
    for chunk in chunks:
        kept = kept + chunk if kept else chunk
        if len(kept) < _PIECE:
            continue
        whole = len(kept) - len(kept) % _PIECE
        view = memoryview(kept)
        for start in range(0, whole, _PIECE):
            yield bytes(view[start : start + _PIECE])
        kept = kept[whole:]
    if kept:
        yield kept
