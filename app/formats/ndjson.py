"""NDJSON: an item a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from app.core.errors import Malformed
from app.formats.jsonstream import check
from app.formats.limits import BlankLines, Limits, bad_line, not_json
from app.formats.magic import not_text

_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"
_ENVELOPE = {"operation", "data"}
# What may stand around an item on its line: blanks, its operation.
_SLACK = 1024

# Checks the JSON without making objects of it.
_check = msgspec.json.Decoder(msgspec.Raw).decode


def read_ndjson(stream: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """The items of `stream`, each as JSON text on one line. Blank lines are passed over."""
    longest = limits.item_bytes + _SLACK
    readline = stream.readline
    blank = BlankLines()
    number = index = 0
    while line := readline(longest):
        number += 1
        text = line.strip(_BLANKS)
        if number == 1 and text.startswith(_BOM):
            text = text.removeprefix(_BOM).lstrip(_BLANKS)
        if len(text) > limits.item_bytes or (len(line) == longest and line[-1:] != b"\n"):
            whole = len(line) < longest or line[-1:] == b"\n"
            limits.check_size(index, _size(text) if whole else len(line))
        if not text:
            blank.pass_over(number)
            continue
        limits.check_count(index)
        try:
            _check(text)
            if not text.isascii():
                text.decode()
        except msgspec.DecodeError as error:
            said = not_text(text) if number == 1 else None
            raise bad_line(number, index, said or not_json(error)) from error
        except UnicodeDecodeError as error:
            raise bad_line(number, index, "Not UTF-8.") from error
        except RecursionError:
            try:
                check(text)
            except Malformed as error:
                raise bad_line(number, index, error.detail) from None
        yield text
        index += 1


def _size(text: bytes) -> int:
    """Bytes of the item, without the envelope `{"operation", "data"}` that it may stand in.

    So the largest item can be submitted again as results show it, with its operation.
    """
    try:
        members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return len(text)
    return len(bytes(members["data"])) if members.keys() == _ENVELOPE else len(text)
