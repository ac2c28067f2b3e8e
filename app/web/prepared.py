"""Answers that are always the same: made once, compressed once, and not sent to who has them."""

from __future__ import annotations

import gzip
import hashlib

from flask import Request, Response

# Less than this is not worth compressing.
_SMALL = 1024


class Prepared:
    """The bytes `body` as an answer. It is kept in memory twice, as it is and compressed.

    `headers`: more of them. `max_age`: seconds for which a reader need not ask again.
    """

    def __init__(
        self, body: bytes, mimetype: str, *, max_age: int = 0, headers: dict[str, str] | None = None
    ) -> None:
        self.body = body
        self._mimetype = mimetype
        self._packed = gzip.compress(body, 9, mtime=0) if len(body) >= _SMALL else None
        digest = hashlib.sha256(body).hexdigest()[:32]
        self._headers = {
            "Cache-Control": f"public, max-age={max_age}" if max_age else "no-cache",
            "Vary": "Accept-Encoding",
            **(headers or {}),
        }
        # Each of the two has a name of its own, so that no cache takes one for the other.
        self._etags = {False: f'"{digest}"', True: f'"{digest}-gzip"'}

    def answer(self, request: Request) -> Response:
        """The answer to `request`: 304 where its If-None-Match names what would be sent."""
        packed = self._packed is not None and request.accept_encodings.quality("gzip") > 0
        headers = {**self._headers, "ETag": self._etags[packed]}
        known = request.if_none_match
        if any(known.contains_weak(etag.strip('"')) for etag in self._etags.values()):
            return Response(status=304, headers=headers)
        if packed:
            headers["Content-Encoding"] = "gzip"
        body = self._packed if packed else self.body
        return Response(body, headers=headers, mimetype=self._mimetype)
