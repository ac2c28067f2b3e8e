"""Bodies: an array of items, or an envelope with one in it. An item's text stays as it was sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import marshmallow as ma
import msgspec

from app.core.errors import FieldError, Malformed
from app.core.jsontext import loads
from app.formats.raw_item import RawItem
from app.web.problems import invalid
from app.web.services import services

Kind = TypeVar("Kind")
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_items(body: bytes, *, most: int | None = None) -> list[RawItem]:
    """The items of a body that is an array of objects, 1 to `most` (see `items_of`).

    Raises Malformed, naming what is wrong.
    """
    return items_of(_decode(body, list[msgspec.Raw], "an array"), most=most)


def read_object(body: bytes) -> RawItem:
    """The item that a body is: one object. Raises Malformed."""
    text = _decode(body, msgspec.Raw, "an object")
    return items_of([text], most=1)[0]


def read_envelope(body: bytes, schema: ma.Schema) -> dict[str, Any]:
    """A body that is an object, loaded by `schema`, whose `Entries` get the text to the letter.

    Raises Malformed for a field that is missing, unknown, or not what the schema asks.
    """
    members = _decode(body, dict[str, msgspec.Raw], "an object")
    values: dict[str, Any] = {}
    for name, member in members.items():
        as_sent = isinstance(schema.fields.get(name), Entries)
        try:
            values[name] = member if as_sent else loads(bytes(member))
        except _BROKEN as error:
            raise Malformed(f"{name} cannot be read: {error}") from error
    try:
        loaded: dict[str, Any] = schema.load(values)
    except ma.ValidationError as error:
        wrong = invalid(error.messages)
        raise Malformed(wrong.detail, errors=wrong.errors) from error
    return loaded


class Entries(ma.fields.List[Any]):
    """A member of an envelope that holds the items; loaded as a list of `RawItem`."""

    def __init__(self, inner: Any, *, most: int | None = None, **kwargs: Any) -> None:
        """`inner`: describes an item in the OpenAPI document. `most`: see `items_of`."""
        super().__init__(inner, **kwargs)
        self.most = most

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            raws = msgspec.json.decode(value, type=list[msgspec.Raw])
        except _BROKEN as error:
            raise ma.ValidationError("Must be an array.") from error
        try:
            return items_of(raws, most=self.most)
        except Malformed as error:
            raise ma.ValidationError(
                {
                    int(fault.pointer[1:]) if fault.pointer else "_schema": [fault.message]
                    for fault in error.errors
                }
            ) from error


def items_of(raws: Sequence[msgspec.Raw], *, most: int | None = None) -> list[RawItem]:
    """The items that these texts are: 1 to `most` objects, none too large.

    `most`: None for as many as the settings allow in JSON. Raises Malformed, with a pointer to the
    first entry at fault.
    """
    settings = services().settings
    most = settings.max_items_json if most is None else most
    if not raws:
        raise _wrong("", "Must not be empty.")
    if len(raws) > most:
        raise _wrong("", f"Must have at most {most} entries, not {len(raws)}.")
    items = []
    for index, raw in enumerate(raws):
        text = bytes(raw)
        if not text.startswith(b"{"):
            raise _wrong(f"/{index}", "Must be an object.")
        if len(text) > settings.max_item_bytes:
            raise _wrong(f"/{index}", f"Must have at most {settings.max_item_bytes} bytes.")
        items.append(RawItem(text.decode()))
    return items


def _decode(body: bytes, kind: type[Kind], what: str) -> Kind:
    """`body` as JSON of that kind. Raises Malformed."""
    try:
        # Text that is passed on as it stands is not looked into, so this is where its UTF-8 is.
        body.decode()
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        raise Malformed(f"The body must be {what}.") from None
    except _BROKEN as error:
        raise Malformed(f"The body is not JSON: {error}.") from error


def _wrong(pointer: str, message: str) -> Malformed:
    where = f"Entry {pointer[1:]}: " if pointer else ""
    return Malformed(f"{where}{message}", errors=[FieldError(pointer, message)])
