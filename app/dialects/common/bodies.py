"""Bodies: an array of items, or an envelope with one in it. An item's text stays as it was sent.

A body is held as a whole only up to a size; of a larger one the items are written to a spool while
it is read (app/web/jsonbody.py), which is gone when the body is closed.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NoReturn, TypeVar, cast

import marshmallow as ma
import msgspec

from app.batches.intake import MOST_ITEMS
from app.core.errors import FieldError, Malformed
from app.core.jsontext import loads
from app.formats.jsonstream import MOST_MEMBERS, JsonStream, too_many_members
from app.formats.raw_item import RawItem
from app.formats.spool import Spool
from app.web.bodies import Body
from app.web.jsonbody import IN_MEMORY, SMALL, behind
from app.web.problems import invalid
from app.web.services import services
from app.web.spooling import new_spool
from handlers.jsonbounds import flaw_of

Kind = TypeVar("Kind")
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError)


class Items:
    """The items of a body, which can be gone through more than once; `len` is how many."""

    def __init__(self, texts: list[RawItem] | Spool, operation: str | None = None) -> None:
        """`operation`: of each of them; None where it is the batch's."""
        self._texts = texts
        self._operation = operation

    def __len__(self) -> int:
        return self._texts.count if isinstance(self._texts, Spool) else len(self._texts)

    def __iter__(self) -> Iterator[RawItem]:
        found = self._texts.items() if isinstance(self._texts, Spool) else iter(self._texts)
        if self._operation is None:
            return found
        return (RawItem(item.text, self._operation, item.within) for item in found)

    @property
    def many(self) -> bool:
        """Whether storing them takes a place to store much in, as in the native API."""
        return isinstance(self._texts, Spool) and self._texts.count > MOST_ITEMS

    def of(self, operation: str) -> Items:
        """The same items, each naming this operation."""
        return Items(self._texts, operation)


class Sent:
    """A request's body. Use as a context manager; what was read from it is gone afterwards."""

    def __init__(self, body: Body) -> None:
        stream = cast(BinaryIO, io.BufferedReader(body, IN_MEMORY))
        self._head = stream.read(IN_MEMORY + 1)
        self._rest = stream
        self._spool: Spool | None = None

    def __enter__(self) -> Sent:
        return self

    def __exit__(self, *_: object) -> None:
        if self._spool is not None:
            self._spool.__exit__()

    @property
    def whole(self) -> bytes | None:
        """All of it, unless it is large."""
        return self._head if len(self._head) <= IN_MEMORY else None

    def text(self) -> JsonStream:
        """It as JSON, to be read value by value, once."""
        whole = self.whole
        if whole is not None:
            return JsonStream(io.BytesIO(whole))
        return JsonStream(behind(self._head, self._rest))

    def spooled(self, entries: Iterable[bytes]) -> Items:
        """`entries`, written down; of two calls the last one counts."""
        if self._spool is None:
            self._spool = new_spool()
        self._spool.clear()
        return Items(self._spool.fill(entries))


def read_items(body: Sent, *, most: int | None = None) -> Items:
    """The items of a body that is an array of objects, 1 to `most` (see `items_of`).

    Raises Malformed, naming what is wrong.
    """
    if body.whole is not None:
        try:
            return items_of(_decode(body.whole, list[msgspec.Raw], "an array"), most=most)
        except RecursionError:
            pass
    text = body.text()
    if text.peek() != b"[":
        raise Malformed("The body must be an array.")
    items = body.spooled(_entries(text, most, ""))
    text.end()
    return _some(items)


def read_object(body: Sent) -> RawItem:
    """The item that a body is: one object. Raises Malformed."""
    text = body.text()
    if text.peek() not in (b"{", b""):
        raise Malformed("The body must be an object.")
    most = services().settings.max_item_bytes
    found = text.value(most, lambda _: _wrong("", f"Must have at most {most} bytes."))
    text.end()
    return RawItem(found.decode())


def read_envelope(body: Sent, schema: ma.Schema) -> dict[str, Any]:
    """A body that is an object, loaded by `schema`, whose `Entries` get the text to the letter.

    Raises Malformed for a field that is missing, unknown, or not what the schema asks.
    """
    values: dict[str, Any] = {}
    for name, member in _members(body, schema):
        if isinstance(member, Items) or isinstance(schema.fields.get(name), Entries):
            values[name] = member
            continue
        flaw = flaw_of(member)
        if flaw is not None:
            raise Malformed(f"{name}: {flaw}", errors=[FieldError(f"/{name}", flaw)])
        try:
            values[name] = loads(member)
        except _BROKEN as error:
            raise Malformed(f"{name} cannot be read: {error}") from error
    try:
        loaded: dict[str, Any] = schema.load(values)
    except ma.ValidationError as error:
        wrong = invalid(error.messages)
        raise Malformed(wrong.detail, errors=wrong.errors) from error
    return loaded


class Entries(ma.fields.List[Any]):
    """A member of an envelope that holds the items; loaded as `Items`."""

    def __init__(self, inner: Any, *, most: int | None = None, **kwargs: Any) -> None:
        """`inner`: describes an item in the OpenAPI document. `most`: see `items_of`."""
        super().__init__(inner, **kwargs)
        self.most = most

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, Items):
            return value
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


def items_of(raws: list[msgspec.Raw], *, most: int | None = None) -> Items:
    """The items that these texts are: 1 to `most` objects, none too large.

    `most`: None for as many as the settings allow in JSON. Raises Malformed, with a pointer to the
    first entry at fault.
    """
    settings = services().settings
    most = settings.max_items_json if most is None else most
    if len(raws) > most:
        _wrong("", f"Must have at most {most} entries, not {len(raws)}.")
    items = []
    for index, raw in enumerate(raws):
        text = bytes(raw)
        if not text.startswith(b"{"):
            _wrong(f"/{index}", "Must be an object.")
        if len(text) > settings.max_item_bytes:
            _wrong(f"/{index}", f"Must have at most {settings.max_item_bytes} bytes.")
        items.append(RawItem(text.decode()))
    return _some(Items(items))


def _some(items: Items) -> Items:
    if not len(items):
        _wrong("", "Must not be empty.")
    return items


def _members(body: Sent, schema: ma.Schema) -> Iterator[tuple[str, Any]]:
    """The members of an envelope, unparsed; those of a large one as they come."""
    if body.whole is not None:
        try:
            members = _decode(body.whole, dict[str, msgspec.Raw], "an object")
            if len(members) > MOST_MEMBERS:
                raise too_many_members()
            yield from ((name, bytes(member)) for name, member in members.items())
            return
        except RecursionError:
            pass
    text = body.text()
    if text.peek() != b"{":
        raise Malformed("The body must be an object.")
    for name in text.members():
        field = schema.fields.get(name)
        if field is None:
            _wrong(f"/{name[:100]}", "Unknown field.")
        if isinstance(field, Entries) and text.peek() == b"[":
            yield name, _some(body.spooled(_entries(text, field.most, f"/{name}")))
        else:
            yield name, text.value(SMALL, lambda _, name=name: _wrong(f"/{name}", "Is too long."))  # type: ignore[misc]
    text.end()


def _entries(text: JsonStream, most: int | None, pointer: str) -> Iterator[bytes]:
    settings = services().settings
    most = settings.max_items_json if most is None else most
    most_bytes = settings.max_item_bytes

    def over(index: int, _: int) -> NoReturn:
        _wrong(f"{pointer}/{index}", f"Must have at most {most_bytes} bytes.")

    for index, entry in enumerate(text.entries(most_bytes, over)):
        if index >= most:
            _wrong(pointer, f"Must have at most {most} entries.")
        if not entry.startswith(b"{"):
            _wrong(f"{pointer}/{index}", "Must be an object.")
        yield entry


def _decode(body: bytes, kind: type[Kind], what: str) -> Kind:
    """`body` as JSON of that kind. Raises Malformed, and RecursionError where it nests deep."""
    try:
        # Text that is passed on as it stands is not looked into, so this is where its UTF-8 is.
        body.decode()
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        raise Malformed(f"The body must be {what}.") from None
    except _BROKEN as error:
        raise Malformed(f"The body is not JSON: {error}.") from error


def _wrong(pointer: str, message: str) -> NoReturn:
    where = f"Entry {pointer[1:]}: " if pointer else ""
    raise Malformed(f"{where}{message}", errors=[FieldError(pointer, message)])
