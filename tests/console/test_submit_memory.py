"""What is held of a form is a window of its file, whatever is in it."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from app.console.pages.submit.reading import fill
from app.console.pages.submit.sent import sent_by
from app.core.errors import BatchlineError, TooLarge
from app.core.settings import Settings
from app.formats import Spool

SIZE = 12_000_000
MOST_HELD = 6 * 1024 * 1024
ROW = b"A" * 200 + b",US,1\n"
ITEM = json.dumps({"asin": "A", "x": "y" * 200_000}).encode()


def form(content: bytes, name: bytes = b'file"; filename="a') -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n'
    return head + content + b"\r\n--b--\r\n"


def peak(settings: Settings, body: bytes) -> tuple[int, int, str]:
    """The most that was held, how many items came, and why no more."""
    kind = "multipart/form-data; boundary=b"
    environ = EnvironBuilder(method="POST", data=body, content_type=kind).get_environ()
    count, why = 0, ""
    tracemalloc.start()
    try:
        sent = sent_by(Request(environ), settings.max_stream_bytes)
        with Spool() as spool:
            if sent.file is not None:
                fill(spool, sent.file, sent.filename, settings)
                sent.finish()
            count = spool.count
    except BatchlineError as error:
        why = type(error).__name__
    finally:
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return held, count, why


@pytest.mark.whole
@pytest.mark.parametrize(
    ("body", "count", "why"),
    [
        (lambda: form(b"asin,c,p\n" + ROW * (SIZE // len(ROW))), SIZE // len(ROW), ""),
        (lambda: form(gzip.compress(b"a,c,p\n" + ROW * 9_000, 1)), 9_000, ""),
        (lambda: form((ITEM + b"\n") * 59), 59, ""),
        (lambda: form(b"[" + b",".join([ITEM] * 59) + b"]"), 59, ""),
        (lambda: form(b"x" * SIZE), 0, "TooLarge"),
        (lambda: form(b"\r" * SIZE), 0, "TooLarge"),
        # A quoted cell goes on and on: as a column's name, and as an item's value.
        (lambda: form(b'"' + b"\n" * SIZE), 0, "Malformed"),
        (lambda: form(b'asin\n"' + b"\n" * SIZE), 0, "TooLarge"),
        (lambda: form(b"[" * SIZE), 0, "TooLarge"),
        (lambda: form(gzip.compress(b"\0" * 60_000_000)), 0, "TooLarge"),
        (lambda: form(gzip.compress(b"") * (SIZE // 20)), 0, "Invalid"),
        (lambda: form(b"x" * SIZE, b"name"), 0, "TooLarge"),
        (lambda: form(b"", b"x" * SIZE), 0, "Malformed"),
        (lambda: form(b"", b"x") * 90_000, 0, "Malformed"),
        (lambda: b"\r\n" * (SIZE // 2), 0, "Malformed"),
    ],
)
def test_a_form_is_never_held(
    settings: Settings, body: Callable[[], bytes], count: int, why: str
) -> None:
    narrow = replace(settings, max_stream_bytes=2 * SIZE, max_body_bytes=2 * SIZE)
    held, found, said = peak(narrow, body())
    assert (found, said) == (count, why)
    assert held < MOST_HELD, f"{held:,} bytes"


def test_one_that_says_it_is_too_large_is_not_read(settings: Settings) -> None:
    environ = EnvironBuilder(
        method="POST", data=b"", content_type="multipart/form-data; boundary=b"
    ).get_environ()
    environ["CONTENT_LENGTH"] = str(10**12)
    with pytest.raises(TooLarge):
        sent_by(Request(environ), settings.max_stream_bytes)
