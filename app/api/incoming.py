"""The items of a request, in any format: a few in memory, otherwise on disk."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import BinaryIO, cast

import msgspec
from flask import Request

from app.batches.intake import MOST_ITEMS
from app.core.computing import alone
from app.core.errors import Malformed
from app.core.settings import Settings
from app.formats import Limits, read_csv, read_ndjson
from app.formats.raw_item import RawItem
from app.web.bodies import CSV, JSON, NDJSON, Body, media_type
from app.web.envelope import FIELDS
from app.web.idempotency import Attempt
from app.web.jsonbody import (
    IN_MEMORY,
    Raws,
    behind,
    read_array,
    read_object,
    spool_array,
    spool_object,
)
from app.web.spooling import new_spool
from app.web.turns import storing
from handlers.jsonbounds import all_within

# Other names under which the same is sent.
_ALIASES = {"application/ndjson": NDJSON, "application/jsonl": NDJSON}
MEDIA_TYPES = (JSON, NDJSON, CSV)
_READERS = {NDJSON: read_ndjson, CSV: read_csv}
_BUFFER = 1 << 18
_SMALL = 16 * 1024
_ITEMS = "items"


@dataclass(frozen=True, slots=True)
class Incoming:
    """`items` can be gone through once. `fields`: what a JSON body says beside them."""

    items: Iterable[RawItem]
    fields: Raws
    count: int


def body_of(request: Request, settings: Settings, attempt: Attempt) -> tuple[str, Body]:
    """The media type of a request that brings items, and its body, of which nothing is read yet."""
    kind = _ALIASES.get(request.mimetype)
    kind = media_type(request, MEDIA_TYPES if kind is None else (request.mimetype,))
    kind = _ALIASES.get(kind, kind)
    most = settings.max_body_bytes if kind == JSON else settings.max_stream_bytes
    return kind, Body(request, most, digest=attempt.digest, tick=attempt.tick)


@contextmanager
def received(kind: str, body: Body, settings: Settings, attempt: Attempt) -> Iterator[Incoming]:
    """Read `body` to its end. A stream is spooled to disk, and gone when the context is left."""
    stream = cast(BinaryIO, io.BufferedReader(body, _BUFFER))
    fields: Raws = {}
    if kind == JSON:
        limits = Limits(settings.max_items_json, settings.max_item_bytes)
        head = stream.read(IN_MEMORY + 1)
        if len(head) <= IN_MEMORY:
            # A piece by itself, but for what is small enough that nobody notices.
            with alone() if len(head) > _SMALL else nullcontext():
                fields, raws = _split(head, limits)
                within = all_within(head)
            yield Incoming(attempt.alive(_texts(raws, limits, within)), fields, len(raws))
            return
        stream = behind(head, stream)
    else:
        limits = Limits(
            settings.max_items_stream, settings.max_item_bytes, settings.max_stream_bytes
        )
    with new_spool() as spool:
        if kind != JSON:
            spool.fill(_READERS[kind](stream, limits))
        elif _is_array(head):
            spool_array(stream, spool, limits)
        else:
            fields = spool_object(stream, spool, limits, known=FIELDS, items=_ITEMS)
        incoming = Incoming(attempt.alive(spool.items()), fields, spool.count)
        if spool.count <= MOST_ITEMS:
            yield incoming
            return
        with storing():
            yield incoming


def _split(data: bytes, limits: Limits) -> tuple[Raws, list[msgspec.Raw]]:
    """A JSON body's fields and items: an object that has both, or an array of items alone."""
    if _is_array(data):
        return {}, read_array(data, "", limits)
    fields = read_object(data)
    items = fields.pop(_ITEMS, None)
    return fields, [] if items is None else read_array(items, f"/{_ITEMS}", limits)


def _is_array(head: bytes) -> bool:
    return head.lstrip(b" \t\r\n").startswith(b"[")


def _texts(raws: list[msgspec.Raw], limits: Limits, within: bool) -> Iterator[RawItem]:
    most = limits.item_bytes
    for index, raw in enumerate(raws):
        data = bytes(raw)
        if len(data) > most:
            limits.check_size(index, len(data))
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise Malformed(f"Item {index} is not UTF-8.") from None
        yield RawItem(text, None, within)
