"""JSON bodies taken apart without being parsed: the fields of an object, the items of an array.

A body of the allowed size can hold a hundred million values, each of which takes more room as an
object than as text. So unknown fields, fields that are too long and items that are too many are
refused before they are parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from app.core.errors import FieldError, Invalid, Malformed
from app.core.jsontext import loads
from app.formats.limits import TOO_DEEP, Limits, not_json
from app.web.problems import pointer_to

Raws = dict[str, msgspec.Raw]

# Bytes up to which a body is parsed without such precautions.
SMALL = 1024 * 1024
_LONGEST_FIELD = 64 * 1024
_UNKNOWN = re.compile(r"unknown field `(.*)`")
# The tokens that structure JSON, and strings, in which they mean nothing. The quantifiers are
# possessive: there is no backtracking, which would need memory for each character.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},]', re.DOTALL)
_COMMAS_AN_ITEM = 40


def read_object(body: bytes, known: Iterable[str] = ()) -> Raws:
    """The fields of a JSON object, unparsed; of a large body only if all are `known`.

    Raises Malformed, and Invalid for another value than an object.
    """
    if len(body) <= SMALL:
        found: Raws = _decode(body, Raws, "an object")
        return found
    fields = [(name, msgspec.Raw, msgspec.Raw()) for name in known]
    kind = msgspec.defstruct("Fields", fields, forbid_unknown_fields=True)
    read = _decode(body, kind, "an object")
    values = {name: getattr(read, name) for name, _, _ in fields}
    return {name: value for name, value in values.items() if memoryview(value).nbytes}


def read_array(text: msgspec.Raw | bytes, pointer: str, limits: Limits) -> list[msgspec.Raw]:
    """The items of a JSON array, unparsed.

    Raises Malformed, Invalid for another value than an array, and TooLarge for more items than the
    limits allow.
    """
    data = bytes(text)
    if data.count(b",") > _COMMAS_AN_ITEM * limits.items:
        _decode(data, msgspec.Raw, "JSON", pointer)
        _check_count(data, limits)
    found: list[msgspec.Raw] = _decode(data, list[msgspec.Raw], "an array", pointer)
    if len(found) > limits.items:
        limits.check_count(limits.items)
    return found


def fields_of(raws: Raws) -> dict[str, Any]:
    """The parsed values of an object's fields. Raises Malformed, and Invalid for a long one."""
    for name, value in raws.items():
        if memoryview(value).nbytes > _LONGEST_FIELD:
            message = f"Must be at most {_LONGEST_FIELD} bytes."
            raise Invalid(f"{name}: {message}", errors=[FieldError(pointer_to(name), message)])
    return {name: _parse(value) for name, value in raws.items()}


def _decode(body: bytes, kind: Any, expected: str, pointer: str = "") -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        # A wrong type is noticed at the first character: the rest may not be JSON at all.
        _decode(body, msgspec.Raw, expected)
        unknown = _UNKNOWN.search(str(error))
        message = "Unknown field." if unknown else f"Must be {expected}."
        where = pointer + (pointer_to(unknown.group(1)) if unknown else "")
        raise Invalid(
            f"{where.lstrip('/') or 'The body'}: {message}", errors=[FieldError(where, message)]
        ) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Malformed(not_json(error)) from error
    except RecursionError:
        raise Malformed(TOO_DEEP) from None


def _parse(text: msgspec.Raw) -> Any:
    try:
        return loads(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Malformed(not_json(error)) from error
    except RecursionError:
        raise Malformed(TOO_DEEP) from None


def _check_count(data: bytes, limits: Limits) -> None:
    """Raise TooLarge at the first item of the array `data` that is over a limit."""
    depth = index = began = 0
    for token in _TOKEN.finditer(data):
        character = token.group()[:1]
        if character in b"[{":
            depth += 1
        elif character in b"]}":
            depth -= 1
        elif character == b"," and depth == 1:
            index += 1
            began = token.end()
            limits.check_count(index)
        if token.end() - began > limits.item_bytes + SMALL:
            limits.check_size(index, token.end() - began)
