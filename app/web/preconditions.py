"""Headers that make a change depend on something: honoured, or refused, never passed over.

`If-Match`: 412 unless it names what is there now. Only a batch has an ETag; for anything else,
also for what is done with a batch by POST, nothing but `*` holds. `Idempotency-Key`: a view that
takes it says so in the OpenAPI document, and is known by that; on all others that change something
it is refused, so that nobody believes a request safe to send again that is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Request

from app.core.errors import Malformed, PreconditionFailed

IF_MATCH: dict[str, Any] = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The `ETag` of the batch as it was seen: 412 if it is another now.",
}
"""The header's description in the OpenAPI document, for views that compare it themselves."""
NONE: frozenset[str] = frozenset()
"""What a view takes that honours neither."""
_KEY = "Idempotency-Key"


def headers_of(view: Callable[..., Any]) -> frozenset[str]:
    """The names of the headers that the view says it takes; its other decorators come before."""
    manual = getattr(view, "_apidoc", {}).get("manual_doc", {})
    return frozenset(
        parameter["name"] for parameter in manual.get("parameters", []) if "name" in parameter
    )


def check(request: Request, takes: frozenset[str]) -> None:
    """Raise for a header that the view does not take and that must not be passed over."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    if _KEY in request.headers and _KEY not in takes:
        raise Malformed(
            f"{_KEY} is not taken here: the answer would not be kept. Leave it out, and look "
            "what has become of the request before you send it again."
        )
    if IF_MATCH["name"] not in takes:
        check_if_match(request, None)


def check_if_match(request: Request, etag: str | None) -> None:
    """Raise PreconditionFailed unless `If-Match`, if there is one, names `etag` or is `*`.

    `etag`: of what is there, without its quotes; None where it has none.
    """
    if IF_MATCH["name"] not in request.headers:
        return
    named = request.if_match
    if not named.star_tag and (etag is None or not named.is_strong(etag)):
        raise PreconditionFailed(
            "If-Match does not name what is there now; nothing was changed."
            if etag is not None
            else "There is no ETag here that If-Match could name; only `*` holds."
        )
