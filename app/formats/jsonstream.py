"""A JSON text taken apart while it arrives: the members of an object, the entries of an array.

Only a window of the text is held, and grows as far as one value needs. Where a value ends is found
by one regular expression, in a few nanoseconds a byte; where it is long, by its brackets or quotes
alone, piece by piece. Whether it is JSON is checked then, by msgspec. Entries that begin alike, as
those of nearly all arrays do, are found many at a time by msgspec alone, in a tenth of that. What
nests deeper than the bounds (handlers/jsonbounds.py) is given out all the same, as far as its
brackets are balanced: it is for the reader of items to refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, NoReturn

import msgspec

from app.core.errors import Malformed
from app.formats.limits import not_json
from handlers.jsonbounds import MOST_DEPTH, end_of, without_escapes

_CHUNK = 256 * 1024
# So much is looked at for entries that begin alike, and so often for where the last of them begins.
_PIECE = 64 * 1024
_GUESSES = 4
# So much the expressions look at: while they do, no other thread computes.
_REACH = 16 * 1024
_LONGEST_NAME = 64 * 1024
MOST_MEMBERS = 1000
"""Of an object that is a body: it is an envelope, not an item."""
_BLANKS = b" \t\r\n"
# The quantifiers are possessive: there is no backtracking, which would need memory for each byte.
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_BLANK = rb"[ \t\r\n]*+"


def _nested(levels: int) -> bytes:
    """What matches an array or object of so many levels, as far as its brackets go."""
    inner = b""
    for _ in range(levels):
        inner = (
            rb"[\[{](?:[^\"\[\]{}]++|" + _STRING + (b"|" + inner if inner else b"") + rb")*+[\]}]"
        )
    return inner


_PLAIN = re.compile(rb'[^"\[\]{},:\s]++')
_VALUE = rb"(?:" + _nested(MOST_DEPTH) + b"|" + _STRING + b"|" + _PLAIN.pattern + b")"
_ONE = re.compile(_VALUE, re.DOTALL)
# An object, as far as the colon behind its first name. In a string this cannot stand.
_BEGINS = re.compile(_BLANK + rb"(\{" + _BLANK + rb'"[^"\\]{1,64}+"' + _BLANK + b":)")
_ENTRY = re.compile(_BLANK + b"(" + _VALUE + b")" + _BLANK + rb"([,\]])", re.DOTALL)

# Checks JSON without making objects of it.
_check = msgspec.json.Decoder(msgspec.Raw).decode
_name = msgspec.json.Decoder(str).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


def check(text: bytes) -> None:
    """Raise Malformed where `text` is not JSON in UTF-8. What nests too deep is not looked into.

    Of that only the brackets have to be balanced.
    """
    try:
        _check(text)
        if not text.isascii():
            text.decode()
    except msgspec.DecodeError as error:
        raise Malformed(not_json(error)) from error
    except UnicodeDecodeError as error:
        raise Malformed("Not UTF-8.") from error
    except RecursionError:
        if end_of(text) != len(text) or not _is_utf8(text):
            raise Malformed("Not JSON: its brackets are not balanced.") from None


def too_many_members() -> Malformed:
    """What is raised for a body that is an object of more than `MOST_MEMBERS`."""
    return Malformed(f"The object has more than {MOST_MEMBERS:,} members.")


class JsonStream:
    """Reads one JSON text from `stream`, a value at a time; where it is not JSON, Malformed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._data = b""
        self._at = 0
        self._passed = 0
        # Up to where entries have to be taken one by one.
        self._singly = 0
        self._ended = False

    def peek(self) -> bytes:
        """The next byte that is not blank; none at the end. It is not taken."""
        while True:
            rest = self._data[self._at : self._at + 1]
            if rest and rest not in _BLANKS:
                return rest
            if rest:
                stripped = self._data[self._at :].lstrip(_BLANKS)
                self._at = len(self._data) - len(stripped)
            elif not self._more():
                return b""

    def take(self, *expected: bytes) -> bytes:
        """Take the next byte, one of `expected`."""
        found = self.peek()
        if found not in expected:
            self._wrong()
        self._at += 1
        return found

    def end(self) -> None:
        """Nothing but blanks may follow."""
        if self.peek():
            self._wrong("something follows its end")

    def value(self, most: int, over: Callable[[int], NoReturn]) -> bytes:
        """The next value's text. Calls `over` with a size where it is longer than `most` bytes."""
        self.peek()
        while (ends := self._end_of_value(most)) is None:
            if len(self._data) - self._at > most:
                over(most + 1)
            if not self._more() and self._end_of_value(most) is None:
                self._wrong()
        text = self._data[self._at : ends]
        self._at = ends
        if len(text) > most:
            over(len(text))
        check(text)
        return text

    def _end_of_value(self, most: int) -> int | None:
        """Where the next value ends; None where it is not whole yet, or begins with no value.

        None also where it is longer than `most` bytes and it takes long to see where it ends.
        """
        data, at = self._data, self._at
        first = data[at : at + 1]
        reach = min(at + _REACH, len(data))
        found = _ONE.match(data, at, reach)
        if found and found.end() < reach:
            return found.end()
        if first in (b"[", b"{"):
            if found:
                return found.end()
            # What is whole in reach and yet not found nests deeper than the expression does.
            ends = end_of(data[at : at + most + 1], 0 if reach < len(data) else MOST_DEPTH)
            return None if ends is None else at + ends
        if first == b'"':
            return found.end() if found else _end_of_string(data, at, at + most + 1)
        found = _PLAIN.match(data, at)
        # Of a number there might be more.
        return found.end() if found and (found.end() < len(data) or self._ended) else None

    def members(self) -> Iterator[str]:
        """The names of an object's members; the caller takes each one's value before the next.

        No more than a thousand: it is an envelope, not an item.
        """
        self.take(b"{")
        if self.peek() == b"}":
            self.take(b"}")
            return
        for _ in range(MOST_MEMBERS):
            if self.peek() != b'"':
                self._wrong()
            text = self.value(_LONGEST_NAME, self._wrong_name)
            self.take(b":")
            yield _name(text)
            if self.take(b",", b"}") == b"}":
                return
        raise too_many_members()

    def entries(self, most: int, over: Callable[[int, int], NoReturn]) -> Iterator[bytes]:
        """The texts of an array's entries, checked but for what nests too deep.

        Calls `over` with an index and a size where an entry is longer than `most` bytes.
        """
        for block in self.blocks(most, over):
            yield from block

    def blocks(self, most: int, over: Callable[[int, int], NoReturn]) -> Iterator[list[bytes]]:
        """The same, in lists of one entry or of more that are at most 64 KiB together."""
        self.take(b"[")
        if self.peek() == b"]":
            self.take(b"]")
            return
        index = 0
        while True:
            if block := self._alike(most):
                yield block
                index += len(block)
            # Most are found whole in the window.
            while found := _ENTRY.match(self._data, self._at, self._at + _REACH):
                text = found.group(1)
                if len(text) > most:
                    over(index, len(text))
                self._check(text, index)
                self._at = found.end()
                yield [text]
                if found.group(2) == b"]":
                    return
                index += 1
                if self._at >= self._singly:
                    break
            else:
                try:
                    text = self.value(most, lambda size, at=index: over(at, size))  # type: ignore[misc]
                except Malformed as error:
                    raise Malformed(f"Item {index}: {error.detail}", errors=error.errors) from error
                yield [text]
                if self.take(b",", b"]") == b"]":
                    return
                index += 1

    def _alike(self, most: int) -> list[bytes]:
        """The next entries, if they are objects that begin alike; of those in reach not the last.

        None where this cannot tell: then they are to be taken one by one.
        """
        if self._at < self._singly:
            return []
        reach = last = self._singly = min(self._at + _PIECE, len(self._data))
        begins = _BEGINS.match(self._data, self._at, reach)
        if begins is None:
            return []
        for _ in range(_GUESSES):
            # What begins so may also stand inside an entry. Then what is before it is no array.
            last = self._data.rfind(begins.group(1), begins.end(), last)
            if last < 0:
                break
            text = self._data[self._at : last].rstrip(_BLANKS)
            if text[-1:] == b"," and (found := _entries_of(text[:-1])):
                if max(map(len, found)) > most:
                    break
                self._at = self._singly = last
                return found
        return []

    def _check(self, text: bytes, index: int) -> None:
        try:
            check(text)
        except Malformed as error:
            raise Malformed(f"Item {index}: {error.detail}") from error

    def _more(self) -> bool:
        """Read on; False at the end. As much again as is held, so that no value is read often."""
        if self._ended:
            return False
        held = self._data[self._at :]
        self._passed += self._at
        self._at = self._singly = 0
        self._data = b""
        data = self._stream.read(max(_CHUNK, len(held)))
        self._ended = not data
        self._data = held + data
        return bool(data)

    def _wrong(self, why: str = "") -> NoReturn:
        at = self._passed + self._at
        if not why:
            why = "not what is expected here" if self._at < len(self._data) else "it is cut short"
        raise Malformed(f"Not JSON: {why} (byte {at}).")

    def _wrong_name(self, _: int) -> NoReturn:
        self._wrong("a name is too long")


def _entries_of(text: bytes) -> list[bytes]:
    """The entries of the array that this is, without its brackets; none where it is not one."""
    try:
        if not text.isascii():
            text.decode()
        return list(map(bytes, _array(b"[" + text + b"]")))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _end_of_string(data: bytes, at: int, most: int) -> int | None:
    """Where the string ends that begins at `at`; None where that is not before `most`."""
    end = without_escapes(data[at + 1 : most]).find(b'"')
    return None if end < 0 else at + end + 2


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
