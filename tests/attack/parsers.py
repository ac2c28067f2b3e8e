"""Bodies that are small to send, being gzip, and made to keep whoever parses them busy for long."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import cycle

from tests.attack.flood import Request, bearer, flood
from tests.attack.kinds import Attack, Target

_PATH = "/v1/batches?operation=catalog.masterlist&start=manual"
_CONNECTIONS = 24
_MILLION = 1_000_000
# Taken, with items that are INVALID; or refused, for what they are or for what they are too many.
_READ = {202, 400, 413, 422}
_GOOD = _READ | {429, 503}


def json_bodies() -> dict[str, bytes]:
    """JSON, by what it is."""
    deep, digits, long = _deep(), b"1" * _MILLION, b"k" * _MILLION
    objects = b"[" + b"{}," * (_MILLION - 1) + b"{}]"
    keys = b"{" + b",".join(b'"%s%d":1' % (b"k" * 2000, number) for number in range(1000))
    return {
        "a million empty objects": objects,
        "a million empty objects in an item": b'[{"a":' + objects + b"}]",
        "deep": deep,
        "a deep item": b'[{"a":' + deep + b"}]",
        "deep and never closed": b"[" + b'{"a":[' * 100_000,
        "a number of a million digits": b'[{"a":' + digits + b"}]",
        "such a number beside the items": b'{"maxFailures":' + digits + b',"items":[]}',
        "numbers as long as an item may be": b"[" + b",".join(_numbers()) + b"]",
        "a key of a megabyte": b'[{"' + long + b'":1}]',
        "such a key beside the items": b'{"' + long + b'":1,"items":[]}',
        "a thousand long keys": b"[" + keys + b"}]",
        "a thousand long keys beside the items": keys + b',"items":[]}',
        "escapes": b'[{"a":"' + b"\\u0041" * 500_000 + b'"}]',
    }


def ndjson_bodies() -> dict[str, bytes]:
    """NDJSON, by what it is."""
    return {
        "a line without end": b'{"asin":"' + b"x" * (16 * _MILLION),
        "a line of brackets": b"[" * (4 * _MILLION),
        "deep lines": (b'{"a":' + _deep() + b"}\n") * 10,
        "numbers as long as an item may be": b"\n".join(_numbers() * 4),
        "nothing but ends of lines": b"\n" * (8 * _MILLION),
    }


def csv_bodies() -> dict[str, bytes]:
    """CSV, by what it is."""
    return {
        "60,000 columns": b",".join(b"c%d" % number for number in range(60_000)) + b"\n1\n",
        "a name of megabytes": b"a" * (8 * _MILLION) + b"\n1\n",
        "a cell of quotes": b'asin,countryCode\n"' + b'""' * (4 * _MILLION),
        "a cell of lines": b'asin,countryCode\n"' + b"x\n" * (4 * _MILLION),
        "a row of cells": b"asin,countryCode\n" + b"1," * (2 * _MILLION) + b"\n",
    }


def _deep() -> bytes:
    return b"[" * 100_000 + b"]" * 100_000


def _numbers() -> list[bytes]:
    return [b'{"percACoS":' + b"1" * 250_000 + b"}", b'{"percACoS":1e' + b"9" * 250_000 + b"}"]


_BODIES = {
    "application/json": json_bodies,
    "application/x-ndjson": ndjson_bodies,
    "text/csv": csv_bodies,
}


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    answered: dict[str, dict[int, int]] = {}
    number = max(2, target.many(_CONNECTIONS) // len(_BODIES))
    with ExitStack() as floods:
        for media_type, bodies in _BODIES.items():
            packed = cycle([gzip.compress(body) for body in bodies().values()])
            headers = {"Content-Type": media_type, "Content-Encoding": "gzip", **bearer(target)}
            sending = flood(target, number, partial(_request, packed), headers)
            answered[media_type] = floods.enter_context(sending)
        yield
    for media_type, statuses in answered.items():
        assert statuses.keys() & _READ, f"no {media_type} was read: {statuses}"
        assert statuses.keys() <= _GOOD, f"{media_type} was answered {statuses}"


def _request(bodies: Iterator[bytes]) -> Request:
    return "POST", _PATH, next(bodies)


ATTACK = Attack(
    "24 send bodies that are slow to parse", "time that is linear in bytes", _under_way, seconds=20
)
