"""Reading a response: as much of its body as is kept, and its `Retry-After`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec

from handlers.jsonbounds import flaw_of

LONGEST_WAIT = 24 * 3600.0
_CHARSETS = {"iso-8859-1": "latin-1", "latin-1": "latin-1", "windows-1252": "cp1252"}
_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Body:
    """A response's body: parsed where it is JSON, text otherwise, None where there is none.

    JSON beyond the bounds of handlers/jsonbounds.py is text too: the request has had its effect.

    `truncated`: it was longer, and `value` is the text of its beginning.
    """

    value: Any
    truncated: bool


def read_body(response: httpx.Response, most_bytes: int) -> Body:
    """Read at most `most_bytes` of a streamed response. What is left over is never read."""
    content = bytearray()
    for piece in response.iter_raw():
        content += piece
        if len(content) > most_bytes:
            break
    truncated = len(content) > most_bytes
    del content[most_bytes:]
    media_type = response.headers.get("content-type", "").lower()
    if not content or response.headers.get("content-encoding", "identity").lower() != "identity":
        # Compressed, though `identity` was asked for. The item has succeeded all the same.
        return Body(None, truncated)
    if "json" in media_type.partition(";")[0] and not truncated:
        try:
            value = _decoder.decode(content)
            if flaw_of(bytes(content)) is None:
                return Body(value, truncated)
        except (ValueError, ArithmeticError, RecursionError):
            pass  # not JSON, whatever its Content-Type says
    charset = media_type.partition("charset=")[2].partition(";")[0].strip(' "')
    return Body(content.decode(_CHARSETS.get(charset, "utf-8"), "replace"), truncated)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the `Retry-After` header asks to wait, at most a day; None without one.

    It says seconds, or an HTTP date.
    """
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return LONGEST_WAIT if len(value) > 6 else min(float(value), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - datetime.now(UTC)).total_seconds()), LONGEST_WAIT)
