"""What is held of a JSON body is a window and an item, also where it unfolds from a small gzip."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Request
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from app.api.incoming import body_of, received
from app.core.errors import BatchlineError
from app.core.settings import Settings
from app.formats import Spool
from app.web.idempotency import Attempt

SIZE = 12_000_000
ITEM = json.dumps({"asin": "A", "x": "y" * 200_000})
MOST_HELD = 6 * 1024 * 1024


def peak(settings: Settings, body: bytes, *, zipped: bool) -> tuple[int, int]:
    """The most that was held, and how many items came; an error counts as none."""
    headers = Headers({"Content-Type": "application/json"})
    if zipped:
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, 1)
    request = Request(EnvironBuilder(method="POST", data=body, headers=headers).get_environ())
    attempt = Attempt(request, None)
    kind, incoming = body_of(request, settings, attempt)
    count = 0
    tracemalloc.start()
    try:
        with received(kind, incoming, settings, attempt) as found:
            for _ in found.items:
                count += 1
    except BatchlineError:
        count = 0
    finally:
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return held, count


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("form", "count"),
    [
        (lambda: b"[" + b",".join([ITEM.encode()] * (SIZE // len(ITEM))) + b"]", 59),
        (lambda: b'{"items":[' + b",".join([b"{}"] * 90_000) + b" " * SIZE + b"]}", 90_000),
        (lambda: b"[" + b"1," * (SIZE // 2) + b"1]", 0),
        (lambda: b"[" * SIZE, 0),
        (lambda: b'["' + b"x" * SIZE, 0),
        (lambda: b'{"metadata":"' + b"x" * SIZE, 0),
        (lambda: b'{"x":' + b"[]," * (SIZE // 3), 0),
        (lambda: b"{" + b'"name":1,' * (SIZE // 9) + b'"items":[1]}', 0),
        (lambda: b" " * SIZE, 0),
    ],
)
def test_a_json_body_is_never_held(
    settings: Settings,
    form: Callable[[], bytes],
    count: int,
    zipped: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # There is no caller whose share of the disk it could be.
    monkeypatch.setattr("app.api.incoming.new_spool", Spool)
    wide = replace(settings, max_body_bytes=2 * SIZE)
    held, found = peak(wide, form(), zipped=zipped)
    assert found == count
    assert held < MOST_HELD, f"{held:,} bytes"
