"""The time that a byte takes does not grow with the text, whatever the text is made of.

What is compared is this thread's own processor time, of a text, of one four times as long, and of
one four times as long as that: of something quadratic it is sixteen times as much, both times.
"""

from __future__ import annotations

import gc
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO, NoReturn, cast

import pytest
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.http import parse_etags
from werkzeug.wrappers import Request

from app.batches.item_keys import unwrap
from app.core.durations import parse_duration
from app.core.errors import BatchlineError
from app.core.log_scrubbing import scrub
from app.formats import Limits, read_csv, read_ndjson
from app.formats.jsonstream import JsonStream
from app.web.envelope import fields_in_query
from app.web.jsonbody import fields_of, read_array, read_object
from app.web.paging import read_cursor
from handlers import fields
from handlers.jsonbounds import flaw_of
from handlers.outbound.paths import safe_path
from workers.engine.run import given_connection

_TIMES_AS_LONG = 4
# Sixteen is what must not be; that much is left for a machine that does something else as well.
_MOST_TIMES = 10.0
_LEAST_SECONDS = 0.002
_LARGEST = 1 << 20
WIDE = Limits(items=10_000_000, item_bytes=1 << 30)


def over(*_: int) -> NoReturn:
    raise AssertionError


def entries(data: bytes) -> Iterator[bytes]:
    return JsonStream(cast(BinaryIO, io.BytesIO(data))).entries(1 << 30, over)


def load(field: Any) -> Callable[[bytes], object]:
    return lambda data: field.deserialize(data.decode())


def header(data: bytes) -> Request:
    """A request with that in its headers."""
    text = data.decode().replace("\n", " ").replace("\r", " ")
    return Request({"HTTP_ACCEPT_ENCODING": text, "CONTENT_TYPE": text})


# How each text is read.
READERS: dict[str, Callable[[bytes], object]] = {
    "bounds": flaw_of,
    "array": lambda data: sum(1 for _ in entries(data)),
    "small array": lambda data: read_array(data, "", WIDE),
    "object": lambda data: fields_of(read_object(data)),
    "ndjson": lambda data: sum(1 for _ in read_ndjson(io.BytesIO(data), WIDE)),
    "csv": lambda data: sum(1 for _ in read_csv(io.BytesIO(data), WIDE)),
    "envelope": lambda data: unwrap(data.decode()),
    "query": lambda data: fields_in_query(MultiDict([("metadata", data.decode())])),
    "cursor": lambda data: read_cursor(data.decode(), int, "items"),
    "number": load(fields.Number()),
    "whole number": load(fields.WholeNumber()),
    "text": load(fields.Text()),
    "flag": load(fields.Flag()),
    "time": load(fields.Timestamp()),
    "duration": lambda data: parse_duration(data.decode()),
    "log line": lambda data: scrub(data.decode()),
    "etags": lambda data: parse_etags(data.decode()).contains("x"),
    "encodings": lambda data: header(data).accept_encodings.quality("gzip"),
    "media type": lambda data: header(data).mimetype_params,
    "sql": lambda data: given_connection._ENDING.match(data.decode()),
    "path": lambda data: safe_path(data.decode()),
}
# A beginning, what is repeated, and an end.
SHAPES: dict[str, tuple[bytes, bytes, bytes]] = {
    "brackets": (b"[", b"[],", b"1]"),
    "braces": (b'{"a":[', b"{},", b"1]}"),
    "openers": (b"", b"[", b""),
    "closers": (b"[", b"]", b""),
    "objects that open": (b"", b'{"a":', b""),
    "strings": (b'["",', b'"",', b'""]'),
    "quotes": (b'["', b'"', b'"]'),
    "backslashes": (b'["', b"\\\\", b'"]'),
    "escaped quotes": (b'["', b'\\"', b'"]'),
    "a string without end": (b'["', b"x", b""),
    "digits": (b"[", b"1", b"]"),
    "points": (b"[", b"1.", b"]"),
    "exponents": (b"[", b"1e300,", b"1e999]"),
    "exponents of digits": (b"[1e", b"0", b"1]"),
    "e and digits": (b'["', b"1e", b'"]'),
    "ones": (b"[", b"1,", b"1e999]"),
    "blanks": (b"[", b" ", b"1]"),
    "names": (b"{", b'"a":1,', b'"a":1}'),
    "a long name": (b'{"', b"a", b'":1}'),
    "an envelope": (b'{"operation":"a","data":', b"[", b"]}"),
    "operations": (b'{"operation":"a","data":1', b',"operation":"a"', b"}"),
    "lines": (b"a,b\n", b"1,2\n", b""),
    "blank lines": (b"a,b\n", b"\n", b""),
    "columns": (b"", b"a,", b"b\n1\n"),
    "columns of quotes": (b"", b'"",', b"b\n1\n"),
    "cells": (b"a,b\n", b"1,", b"\n"),
    "empty cells": (b"a,b\n", b",", b"\n"),
    "a quoted cell": (b'a,b\n"', b'""', b'"\n'),
    "a cell of lines": (b'a,b\n"', b"x\n", b'"\n'),
    "a cell without end": (b'a,b\n"', b"x", b""),
    "carriage returns": (b"a,b\n", b"1\r", b""),
    "separators": (b"sep=", b";", b"\n"),
    "signs": (b"", b"+", b"1"),
    "zeros": (b"0.", b"0", b"1"),
    "letters": (b"", b"A", b""),
    "a time": (b"2026-01-01T00:00:00.", b"0", b"Z"),
    "blanks around": (b"", b" ", b"1"),
    "dots": (b"psycopg2 ", b"a.", b""),
    "urls": (b"", b"a://a:", b""),
    "errors of the database": (b"", b"(psycopg2.x: ", b'"'),
    "parameters": (b"psycopg2 ", b"[parameters: ", b""),
    "details": (b":  ", b"DETAIL:\n", b""),
    "words of secrets": (b"", b"password: bearer ", b""),
    "passwords": (b"", b"password=", b""),
    "etags": (b"", b'W/"a", ', b'"'),
    "open etags": (b"", b'"', b""),
    "qualities": (b"", b"gzip;q=0.1,", b""),
    "parameters of a type": (b"text/csv", b';a="b\\"', b""),
    "semicolons": (b"text/csv", b"; ", b""),
    "comments": (b"", b"/**/", b"SELECT"),
    "dashes": (b"", b"--\n", b"SELECT"),
    "stars": (b"/*", b"*", b""),
    "ways up": (b"", b"../", b""),
    "percents": (b"", b"%2", b""),
}


def text(shape: tuple[bytes, bytes, bytes], size: int) -> bytes:
    start, middle, end = shape
    return start + middle * max(1, size // len(middle)) + end


def seconds(read: Callable[[bytes], object], data: bytes) -> float:
    """Processor time of this thread; the least of two, since it is never too little."""
    found = []
    for _ in range(2):
        begin = time.thread_time()
        with suppress(BatchlineError, ValidationError, AssertionError, ValueError):
            read(data)
        found.append(time.thread_time() - begin)
    return min(found)


@pytest.fixture(autouse=True)
def _no_garbage_is_collected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def grows(read: Callable[[bytes], object], shape: tuple[bytes, bytes, bytes]) -> str | None:
    """How much longer four times as much takes, where that is too much."""
    size = 1 << 13
    # Up to a size at which something quadratic would show.
    while (short := seconds(read, text(shape, size))) < _LEAST_SECONDS:
        size *= 2
        if size > _LARGEST:
            return None
    long = seconds(read, text(shape, size * _TIMES_AS_LONG))
    if long <= _MOST_TIMES * short:
        return None
    # Where a text no longer fits into what is read at once there is a step; it is there but once.
    longer = seconds(read, text(shape, size * _TIMES_AS_LONG**2))
    found = f"{size} bytes: {short} s, then {long} s, then {longer} s"
    return found if longer > _MOST_TIMES * long else None


@pytest.mark.parametrize("reader", READERS)
def test_four_times_as_long_takes_no_more_than_four_times_as_much(reader: str) -> None:
    read = READERS[reader]
    for name, shape in SHAPES.items():
        # What is quadratic is so every time; what else the machine does is not.
        found = [grows(read, shape)]
        while found[-1] and len(found) < 3:
            found.append(grows(read, shape))
        assert not found[-1], f"{name}: {found}"


def test_a_line_of_very_many_columns() -> None:
    """What took 19 s: refused before its names are compared."""
    names = ",".join(f"c{number}" for number in range(60_000))
    assert seconds(READERS["csv"], f"{names}\n1\n".encode()) < 1


def test_an_array_is_taken_apart_quickly() -> None:
    """19 MiB, which kept a tokenizer busy for 8 s; it takes some 0.3 s of an idle machine."""
    item = json.dumps({"asin": "A1000", "countryCode": "US", "percACoS": 2.7, "tags": [1, 2, [3]]})
    body = b"[" + b",".join([item.encode()] * (19 * 1024 * 1024 // len(item))) + b"]"
    assert seconds(READERS["array"], body) < 4
