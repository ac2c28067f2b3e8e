"""What a peer is told of a request that does not reach the application: a problem, and the end."""

from __future__ import annotations

from http import HTTPStatus

from gunicorn.http import errors

from app.web import problems
from app.web.responses import encode

_STATUSES: tuple[tuple[type[Exception], int, str], ...] = (
    (errors.LimitRequestLine, 414, "malformed"),
    (errors.LimitRequestHeaders, 431, "malformed"),
    (errors.ExpectationFailed, 417, "malformed"),
    (errors.UnsupportedTransferCoding, 501, "malformed"),
)
_RETRY_AFTER = 2
BUSY = "Too much is asked for just now; come back in a moment."


def of(error: Exception) -> tuple[int, str, str]:
    """Status, type and words for what the parser found wrong with a head."""
    for kind, status, name in _STATUSES:
        if isinstance(error, kind):
            return status, name, f"The request's head is refused: {_said(error)}"
    return 400, "malformed", f"The request cannot be read: {_said(error)}"


def answer(status: int, kind: str, detail: str) -> bytes:
    """The whole answer, after which the connection is closed."""
    title = HTTPStatus(status).phrase
    body = encode(
        {
            "type": f"urn:batchline:problem:{kind}",
            "title": title,
            "status": status,
            "detail": detail,
        }
    )
    lines = [
        f"HTTP/1.1 {status} {title}",
        "Connection: close",
        f"Content-Type: {problems.CONTENT_TYPE}",
        f"Content-Length: {len(body)}",
        # It may quote what was sent; and some of these statuses are ones that caches keep.
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-store",
        *([f"Retry-After: {_RETRY_AFTER}"] if status == HTTPStatus.SERVICE_UNAVAILABLE else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _said(error: Exception) -> str:
    """Its words, as far as they are fit to be sent back."""
    words = str(error) or type(error).__name__
    return words.encode("ascii", "backslashreplace").decode()[:200]
