"""How large a form may be that is read as a whole: its bytes, and how many fields it has.

Who may take how much: whoever is not signed in sends two fields, so no more of theirs is read than
`OF_ANYBODY`; a form of somebody who is signed in may hold an item. A megabyte of fields without a
letter in them would be half a million, which take 0.8 s of a processor to be told apart.
"""

from __future__ import annotations

from typing import IO, Any

from flask import Request
from werkzeug.datastructures import MultiDict
from werkzeug.formparser import FormDataParser

from app.core.errors import TooLarge, UnsupportedType

OF_ANYBODY = 16 * 1024
OF_SIGNED_IN = 1024 * 1024
"""Bytes. An item that is edited may take three times its own."""
MOST_FIELDS = 1000
_URLENCODED = "application/x-www-form-urlencoded"

_Parsed = tuple[IO[bytes], "MultiDict[str, str]", "MultiDict[str, Any]"]


class _Form(FormDataParser):
    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> Any:
        """As werkzeug has it, of the one kind of form that our pages send."""
        if mimetype not in (_URLENCODED, ""):
            raise UnsupportedType(f"A form of this console is sent as {_URLENCODED}.")
        found: _Parsed = super().parse(_Counted(stream), mimetype, content_length, options)  # type: ignore[arg-type]
        return found


class _Counted:
    """What a form's parser reads. Raises TooLarge where it holds too many fields."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if data.count(b"&") >= MOST_FIELDS:
            raise TooLarge(f"A form may have {MOST_FIELDS} fields.")
        return data


def bound(request: Request, most: int) -> None:
    """Let `request.form` raise for more than `most` bytes, many fields, and forms of other kinds.

    That is TooLarge or UnsupportedType, or werkzeug's for the bytes.
    """
    request.max_content_length = request.max_form_memory_size = most
    request.form_data_parser_class = _Form
