"""What JSON must keep to, so that whoever reads it again can: its depth, the length of its numbers.

Common readers of JSON give up at some depth, at numbers of some thousand digits, or at one that no
double can hold; and one item that they give up at takes with it the whole page that it stands on.
So an item beyond these bounds is INVALID from the start. Its text is not kept: in its place stands
why, as JSON of a form of our own (`refused`), which is shown as null.

All that is done here is linear in the text, and done by what is written in C: what a caller sends
costs the same few nanoseconds a byte whatever it is made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate, compress, count, islice
from math import isinf
from operator import not_

import msgspec

MOST_DEPTH = 64
"""Arrays and objects inside each other; the outermost counts."""
MOST_DIGITS = 1000
"""Of a number, those behind the point included, those of an exponent not."""

TOO_DEEP = f"Must not nest deeper than {MOST_DEPTH} levels."
_TOO_LONG = f"Must not be a number of more than {MOST_DIGITS:,} digits."
_TOO_LARGE = "Must be a number that a double can hold."

# With this, what may be beyond the bounds is found by searching for a few bytes: each digit (and
# each sign, which may begin an exponent) becomes 0, each bracket that opens becomes [.
_PLAIN = bytes.maketrans(b"123456789+-E{", b"00000000000e[")
_EXPONENT = b"0e0"
_LONG_RUN = b"0" * 300
# What a byte does to the depth, as signed numbers; the others are left out, or count as 0.
_STEPS = bytes({0x5B: 1, 0x7B: 1, 0x5D: 255, 0x7D: 255}.get(byte, 0) for byte in range(256))
_NO_BRACKETS = bytes(byte for byte in range(256) if not _STEPS[byte])
# So many bytes are looked at in one go: no other thread computes meanwhile, and there are at most
# as many strings in them.
_WINDOW = 1 << 14
_DOWN = b"\xff"

# Texts that nest no deeper than this need no closer look.
_USUAL_DEPTH = 8
_NO_STRUCTURE = bytes(byte for byte in _NO_BRACKETS if byte != 0x22)
# With this, and without what is in the second, a number with an exponent is a colon and an e.
_BEFORE_EXPONENT = bytes.maketrans(b",[\nE", b":::e")
_OF_A_NUMBER = b"0123456789.+- \t\r"

# The digits of a number, and not those of its exponent.
_LONG_NUMBER = re.compile(rb"(?<![\d.eE])(?<![eE][+-])[\d.]{1001,}")
# What may be too large, by its exponent or by its length alone; or too small even for a Decimal.
_LARGE_NUMBER = re.compile(
    rb"(?<![\d.])(?:\d[\d.]*+[eE](?:\+?0*+[1-9]\d{2,}+|-0*+[1-9]\d{9,}+)"
    rb"|(?<![eE])(?<![eE][+-])\d{309,}+(?:\.\d++)?(?:[eE][+-]?\d++)?)"
)
_UNTHINKABLE = re.compile(rb"[eE][+-]?0*+[1-9]\d{9,}")

# An envelope whose `data` has been left out but for its last bracket.
_OPERATION, _DATA = rb'\s*"operation"\s*:\s*("[^"]*")\s*', rb'\s*"data"\s*:\s*'
_DATA_LAST = re.compile(rb"(\{" + _OPERATION + b"," + _DATA + rb")[\]}]\s*")
_DATA_FIRST = re.compile(rb"(\{" + _DATA + rb")[\]}](\s*," + _OPERATION + rb")")

_decode = msgspec.json.Decoder(str).decode
_encode = msgspec.json.encode

_MARK = "\0refused: "
REFUSED = _encode(_MARK).decode()[:-1]
"""What every `refused` text begins with."""
LONGEST_REFUSAL = 1200
"""Bytes of a `refused` text, at most."""
_MOST_NAMES, _LONGEST_NAME = 4, 40


def flaw_of(text: str | bytes) -> str | None:
    """Why the JSON `text` is beyond the bounds, naming the field (`a.b[]: Must ...`), or None.

    `text` is JSON, but that what nests too deep may be anything whose brackets are balanced.
    """
    data = text.encode() if isinstance(text, str) else text
    plain = data.translate(_PLAIN)
    deep = plain.count(b"[") > MOST_DEPTH
    exponent = _EXPONENT in plain
    run = len(plain) >= len(_LONG_RUN) and _LONG_RUN in plain
    return _flaw(data, deep, run) if deep or exponent or run else None


def all_within(texts: bytes) -> bool:
    """Whether each of these JSON texts, with something between them, is within the bounds.

    False also where that would take a closer look, as it does for few: then ask `flaw_of` of each.
    For many short texts this is a tenth of that.
    """
    left = without_escapes(texts).translate(None, _NO_STRUCTURE)
    # Where a string has brackets in it, its first quote stays.
    left = left.replace(b'""', b"")
    for _ in range(_USUAL_DEPTH):
        if not left:
            break
        left = left.replace(b"{}", b"").replace(b"[]", b"")
    return not left and not (_has_large(texts) and _has_large(without_strings(texts)))


def _has_large(data: bytes) -> bool:
    """Whether there is a number with an exponent in it, or one of many digits, or may be."""
    marks = data.translate(_BEFORE_EXPONENT, _OF_A_NUMBER)
    return b":e" in marks or marks[:1] == b"e" or _LONG_RUN in data.translate(_PLAIN)


def _flaw(data: bytes, deep: bool, run: bool) -> str | None:
    masked: bytes | None = None
    if deep:
        masked = without_strings(data)
        at = _beyond_depth(masked)
        if at is not None:
            return _named(data, masked, at, TOO_DEEP)
    if run:
        masked = without_strings(data) if masked is None else masked
        for found in _LONG_NUMBER.finditer(masked):
            digits = found.group()
            if len(digits) - (b"." in digits) > MOST_DIGITS:
                return _named(data, masked, found.start(), _TOO_LONG)
    if _LARGE_NUMBER.search(data) is None:
        return None
    masked = without_strings(data) if masked is None else masked
    for found in _LARGE_NUMBER.finditer(masked):
        number = found.group()
        if _UNTHINKABLE.search(number) or isinf(float(number)):
            return _named(data, masked, found.start(), _TOO_LARGE)
    return None


def without_strings(data: bytes) -> bytes:
    """JSON text of the same length, with `_` for each byte between quotes."""
    return b"".join(_windows_without_strings(data))


def _windows_without_strings(data: bytes) -> Iterator[bytes]:
    """The same, piece by piece."""
    data = without_escapes(data)
    inside = False
    for start in range(0, len(data), _WINDOW):
        parts = data[start : start + _WINDOW].split(b'"')
        first = 0 if inside else 1
        parts[first::2] = [b"_" * len(part) for part in parts[first::2]]
        inside ^= len(parts) % 2 == 0
        yield b'"'.join(parts)


def without_escapes(data: bytes) -> bytes:
    """JSON text of the same length, with `__` for each escaped backslash or quote."""
    return data.replace(b"\\\\", b"__").replace(b'\\"', b"__") if b"\\" in data else data


def end_of(data: bytes, at_least: int = 0) -> int | None:
    """Where the array or object ends that `data` begins with: behind its bracket, or None.

    None also where there are no more than `at_least` brackets that open: then nobody looks.
    """
    if data.translate(_PLAIN).count(b"[") <= at_least:
        return None
    # What is cut off in a string, or behind a backslash, ends there as far as brackets go.
    at = depth = 0
    for window in _windows_without_strings(data):
        steps = window.translate(_STEPS, _NO_BRACKETS)
        down = steps.count(_DOWN)
        # Nearly always there are too few that close to come down to the ground.
        if down >= depth and min(_depths(steps, depth)) <= 0:
            depths = _depths(window.translate(_STEPS), depth)
            next(depths)
            ends = next(compress(count(1), map(not_, depths)), None)
            if ends is not None:
                return at + ends
        depth += len(steps) - 2 * down
        at += len(window)
    return None


def _beyond_depth(masked: bytes) -> int | None:
    """Where the first bracket opens that is deeper than may be; None where there is none."""
    depth = 0
    for at in range(0, len(masked), _WINDOW):
        window = masked[at : at + _WINDOW]
        steps = window.translate(_STEPS, _NO_BRACKETS)
        down = steps.count(_DOWN)
        up = len(steps) - down
        if depth + up > MOST_DEPTH and max(_depths(steps, depth)) > MOST_DEPTH:
            depths = _depths(window.translate(_STEPS), depth)
            next(depths)
            return at + next(compress(count(), map(MOST_DEPTH.__lt__, depths)))
        depth += up - down
    return None


def _depths(steps: bytes, depth: int) -> Iterator[int]:
    """`depth`, and how deep it is behind each of the `steps`."""
    return accumulate(memoryview(steps).cast("b"), initial=depth)


def _all_depths(masked: bytes) -> Iterable[int]:
    """How deep it is behind each byte."""
    return accumulate(memoryview(masked.translate(_STEPS)).cast("b"))


def _named(data: bytes, masked: bytes, at: int, why: str) -> str:
    """`why`, with the names that lead to the value at `at`: the outermost of them."""
    depths = bytes(_all_depths(masked[:at]))
    names: list[str] = []
    inside = depths[-1] if depths else 0
    for level in range(1, min(inside, _MOST_NAMES) + 1):
        # Where the value begins that this level's array or object has at `at`.
        begins = at if level == inside else depths.rfind(level, 0, at) + 1
        opened = depths.rfind(level - 1, 0, at) + 1
        if masked[opened : opened + 1] == b"[":
            names.append("[]")
        else:
            ends = masked.rfind(b'"', opened, masked.rfind(b":", opened, begins))
            name = data[masked.rfind(b'"', opened, ends) : ends + 1]
            names.append("." + _decode(name)[:_LONGEST_NAME])
    path = "".join(names).lstrip(".")
    return f"{path}: {why}" if path else why


def deep_envelope(text: str) -> dict[str, bytes]:
    """The members of `{"operation": "...", "data": ...}`, in either order, however deep data nests.

    None where `text` is anything else.
    """
    data = text.strip().encode()
    masked = without_escapes(data)
    # What stands in the object itself, and of what is below it the last bracket.
    own = _of_the_outermost(masked, data)
    if found := _DATA_LAST.fullmatch(own):
        named, inner = data[slice(*found.span(2))], data[found.end(1) : -1]
    elif found := _DATA_FIRST.fullmatch(own):
        before = len(data) - 1 - len(own)
        named = data[before + found.start(3) : before + found.end(3)]
        inner = data[found.end(1) : before + found.start(2)]
    else:
        return {}
    return {"operation": named, "data": inner.strip()}


def _of_the_outermost(masked: bytes, data: bytes) -> bytes:
    """What of `masked` is one level deep, by the brackets of `data`; and behind each, its last."""
    depth = at = 0
    kept = []
    for window in _windows_without_strings(data):
        depths = islice(_depths(window.translate(_STEPS), depth), 1, None)
        kept.append(bytes(compress(masked[at : at + _WINDOW], map((1).__eq__, depths))))
        depth += sum(memoryview(window.translate(_STEPS, _NO_BRACKETS)).cast("b"))
        at += len(window)
    return b"".join(kept)


def refused(flaw: str) -> str:
    """The JSON text that is stored in the place of an item that is beyond the bounds."""
    return _encode(_MARK + flaw).decode()


def refusal_of(text: str) -> str | None:
    """The flaw that this stored text tells of; None where it is an item's own."""
    if not text.startswith(REFUSED):
        return None
    try:
        return _decode(text).removeprefix(_MARK)
    except msgspec.DecodeError:
        return None


def shown(text: str) -> str:
    """The stored text as callers see it."""
    return "null" if text.startswith(REFUSED) else text
