"""JSON bodies taken apart without being parsed: the fields of an object, the items of an array.

A body of the allowed size can hold a hundred million values, each of which takes more room as an
object than as text. So a body is held and looked at as a whole only up to `IN_MEMORY` bytes. One
that is larger, also once it has been inflated, is read value by value: its fields are kept, as far
as they are known and not too long, and its items are written to a spool as they come. So however
many requests there are, each holds a window of its body and one item.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, NoReturn, cast

import msgspec

from app.core.errors import FieldError, Invalid, Malformed
from app.core.jsontext import loads
from app.formats.jsonstream import MOST_MEMBERS, JsonStream, too_many_members
from app.formats.limits import Limits, not_json
from app.formats.spool import Spool
from app.web.problems import pointer_to
from handlers.jsonbounds import flaw_of

Raws = dict[str, msgspec.Raw]

IN_MEMORY = 256 * 1024
"""Bytes up to which a body is held as a whole."""
SMALL = 1024 * 1024
"""Bytes of the largest body that brings no items."""
_LONGEST_FIELD = 64 * 1024


def read_object(body: bytes) -> Raws:
    """The fields of a JSON object, unparsed. `body` is of `SMALL` bytes at most.

    Raises Malformed, also for more members than an envelope may have, and Invalid for another value
    than an object.
    """
    try:
        found: Raws = _decode(body, Raws, "an object")
    except RecursionError:
        if body.lstrip(b" \t\r\n")[:1] != b"{":
            raise _must_be("an object", "") from None
        stream = JsonStream(io.BytesIO(body))
        found = {name: msgspec.Raw(stream.value(len(body), _never)) for name in stream.members()}
        stream.end()
    if len(found) > MOST_MEMBERS:
        raise too_many_members()
    return found


def read_array(text: msgspec.Raw | bytes, pointer: str, limits: Limits) -> list[msgspec.Raw]:
    """The items of a JSON array of `IN_MEMORY` bytes at most, unparsed.

    Raises Malformed, Invalid for another value than an array, and TooLarge for more items than the
    limits allow.
    """
    data = bytes(text)
    try:
        found: list[msgspec.Raw] = _decode(data, list[msgspec.Raw], "an array", pointer)
    except RecursionError:
        if data.lstrip(b" \t\r\n")[:1] != b"[":
            raise _must_be("an array", pointer) from None
        stream = JsonStream(io.BytesIO(data))
        found = [msgspec.Raw(entry) for entry in stream.entries(len(data), _never)]
        stream.end()
    if len(found) > limits.items:
        limits.check_count(limits.items)
    return found


def behind(head: bytes, rest: BinaryIO) -> BinaryIO:
    """A stream of `head`, which was read from `rest`, and of what `rest` still gives."""
    return cast(BinaryIO, _Joined(head, rest))


class _Joined:
    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head: bytes | None = head
        self._rest = rest

    def read(self, size: int) -> bytes:
        """The head at once, whatever `size` is; then from the rest."""
        if self._head is not None:
            head, self._head = self._head, None
            return head
        return self._rest.read(size)


def spool_array(stream: BinaryIO, spool: Spool, limits: Limits) -> None:
    """Write the items of a body that is an array to `spool`. Raises what `read_array` raises."""
    text = JsonStream(stream)
    if text.peek() != b"[":
        raise _must_be("an array", "")
    spool.fill_blocks(_blocks(text, limits))
    text.end()


def spool_object(
    stream: BinaryIO, spool: Spool, limits: Limits, *, known: Collection[str], items: str
) -> Raws:
    """The fields of a body that is an object, of the `known` names; its `items` go to `spool`.

    Raises what `read_object` and `read_array` raise, and Invalid for an unknown field or one that
    is too long.
    """
    text = JsonStream(stream)
    if text.peek() != b"{":
        raise _must_be("an object", "")
    fields: Raws = {}
    for name in text.members():
        if name == items:
            # Of a name that stands twice the last one counts, as everywhere in JSON.
            spool.clear()
            if text.peek() != b"[":
                text.value(limits.item_bytes, lambda _: _too_long(items))
                raise _must_be("an array", pointer_to(items))
            spool.fill_blocks(_blocks(text, limits))
        elif name not in known:
            raise Invalid(
                f"{name[:100]}: Unknown field.",
                errors=[FieldError(pointer_to(name), "Unknown field.")],
            )
        else:
            value = text.value(_LONGEST_FIELD, lambda _, name=name: _too_long(name))  # type: ignore[misc]
            fields[name] = msgspec.Raw(value)
    text.end()
    return fields


def fields_of(raws: Raws, *, longest: int = _LONGEST_FIELD) -> dict[str, Any]:
    """The parsed values of an object's fields, each of at most `longest` bytes.

    Raises Malformed, and Invalid for one that is long, or beyond the bounds of what is taken as
    JSON (handlers/jsonbounds.py).
    """
    for name, value in raws.items():
        if memoryview(value).nbytes > longest:
            _too_long(name, longest)
        flaw = flaw_of(bytes(value))
        if flaw is not None:
            beyond(name, flaw)
    return {name: _parse(value) for name, value in raws.items()}


def beyond(name: str, flaw: str) -> NoReturn:
    """Raise Invalid for the field `name`, whose value has the `flaw` of handlers/jsonbounds.py."""
    path, _, why = flaw.rpartition(": ")
    shown = f"{name}.{path}" if path and not path.startswith("[") else f"{name}{path}"
    raise Invalid(f"{shown}: {why}", errors=[FieldError(pointer_to(name), f"{shown}: {why}")])


def _blocks(text: JsonStream, limits: Limits) -> Iterator[list[bytes]]:
    def over(index: int, size: int) -> NoReturn:
        limits.check_size(index, size)
        raise AssertionError("an item was said to be too large that is not")

    count = 0
    for block in text.blocks(limits.item_bytes, over):
        count += len(block)
        if count > limits.items:
            limits.check_count(limits.items)
        yield block


def _decode(body: bytes, kind: Any, expected: str, pointer: str = "") -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        # A wrong type is noticed at the first character: the rest may not be JSON at all.
        _decode(body, msgspec.Raw, expected)
        raise _must_be(expected, pointer) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Malformed(not_json(error)) from error


def _must_be(expected: str, pointer: str) -> Invalid:
    message = f"Must be {expected}."
    return Invalid(
        f"{pointer.lstrip('/') or 'The body'}: {message}", errors=[FieldError(pointer, message)]
    )


def _too_long(name: str, longest: int = _LONGEST_FIELD) -> NoReturn:
    message = f"Must be at most {longest} bytes."
    raise Invalid(f"{name}: {message}", errors=[FieldError(pointer_to(name), message)])


def _never(*_: int) -> NoReturn:
    raise AssertionError("no part of a text is longer than the whole")


def _parse(text: msgspec.Raw) -> Any:
    try:
        return loads(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Malformed(not_json(error)) from error
