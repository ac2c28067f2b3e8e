"""Answers that hold a list of items: made while the items are read, a page at a time.

What a batch has of items, and how large they are, is bounded by the sum of many limits and by what
older releases let in; the memory of a web process is not. So a list is read in pages of a few MiB
(app/batches/item_pages.py) and sent as it is made, unless it is short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeVar

from flask import Response, request

from app.batches.batch_view import BatchView
from app.batches.item_pages import read_items
from app.batches.item_view import ItemView
from app.web.auth import caller
from app.web.responses import encode
from app.web.services import services
from app.web.streaming import streamed

Entry = TypeVar("Entry")
_SHORT = 256 * 1024
"""Bytes of an answer up to which it is sent as a whole, with its length."""


def pages_from(batch: BatchView, first: int, most: int) -> Iterator[list[ItemView]]:
    """At most `most` items of the caller's batch, from index `first` on, in pages."""
    return read_items(services().engine, caller().client_id, batch.id, after=first - 1, most=most)


def list_answer(
    before: Mapping[str, Any],
    path: tuple[str, ...],
    pages: Iterable[Iterable[Entry]],
    shown: Callable[[Entry], object],
    after: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A JSON object with the members of `before`, the list at `path`, and those of `after`.

    `path`: the names that lead to the list, which has an entry for each that `pages` has, as
    `shown` makes it; none where that is None. What reading the first page raises is raised here.
    """
    opening = b"".join(b'{"%s":' % name.encode() for name in path)[1:] + b"["
    closing = b"]" + b"}" * (len(path) - 1)

    def chunks() -> Iterator[bytes]:
        begun = encode(before)[:-1]
        yield begun + (b"," if before else b"") + opening
        separator = b""
        for page in pages:
            for entry in page:
                made = shown(entry)
                if made is not None:
                    yield separator + encode(made)
                    separator = b","
        yield closing + (b"," + encode(after)[1:] if after else b"}")

    made, size = [], 0
    making = chunks()
    for chunk in making:
        made.append(chunk)
        size += len(chunk)
        if size > _SHORT:
            break
    else:
        return Response(b"".join(made), status, headers, mimetype="application/json")
    response = streamed(request, chain(made, making), "application/json")
    response.status_code = status
    response.headers.update(headers or {})
    return response
