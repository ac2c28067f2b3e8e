"""What is read from an item before it is stored: its operation and its key.

Only the fields that make up the key are decoded; the rest of the item is passed over. Keys seen
are remembered by their hashes, and only so many: a batch with more keys than that is searched for
repeated ones by Postgres when it begins, which costs one pass over its rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec

from app.batches.copying import ItemRow, storable
from app.clients.limits import LONGEST_NAME, fits
from app.core.errors import FieldError, Forbidden, Invalid
from app.core.jsontext import loads
from app.formats.raw_item import RawItem
from handlers import Operation, Registry
from handlers.jsonbounds import deep_envelope, flaw_of, refused

MOST_KEYS = 250_000  # some 20 MiB of hashes
_ENVELOPE = {"operation", "data"}


class ItemReader:
    """Reads the items of one submission in order.

    One that is beyond the bounds of handlers/jsonbounds.py is stored as `refused`, and INVALID.

    Afterwards `mixed` says whether an item named an operation of its own, and `may_repeat`
    whether a key may stand more than once.
    """

    def __init__(
        self,
        registry: Registry,
        operation: str | None,
        *,
        own_operations: bool = True,
        allowed: Collection[str] = (),
    ) -> None:
        """`allowed`: patterns of the operations that items may be of; none: any."""
        self._registry = registry
        self._operation = operation
        self._own_operations = own_operations
        self._allowed = allowed
        # So that all of its unknown operations together are looked for once.
        self._since = time.monotonic()
        self._keys: dict[str, KeyReader] = {}
        self._seen: set[int] = set()
        self.mixed = False
        self.may_repeat = False

    @property
    def keyed(self) -> bool:
        """Whether an item has had a key."""
        return self.may_repeat or bool(self._seen)

    def read(self, items: Iterable[RawItem]) -> Iterator[ItemRow]:
        """The rows to store.

        Raises Invalid at an item that no operation applies to, Forbidden at one of an operation
        that is not allowed.
        """
        default = self._operation
        own_operations = self._own_operations
        for index, item in enumerate(items):
            text, operation, within = item
            if operation is None and own_operations and '"operation"' in text:
                text, operation = unwrap(text)
                if operation is not None:
                    operation = shortened(operation)
            flaw = None if within else flaw_of(text)
            if flaw is not None:
                text = refused(flaw)
            if operation is not None:
                self.mixed = True
            elif default is None:
                raise Invalid(
                    f"Item {index} names no operation, and neither does the batch.",
                    errors=[FieldError(f"/items/{index}", "Names no operation.")],
                )
            key = self._key(operation or default, text)
            if key is not None:
                self._note(key)
            yield ItemRow(text, key, operation)

    def _key(self, operation: str | None, text: str) -> str | None:
        name = operation or ""
        reader = self._keys.get(name)
        if reader is None:
            require_operation(self._allowed, name)
            known = self._registry.get(operation, since=self._since)
            if known is None:
                return None  # and not remembered: each item may make another name up
            reader = self._keys[name] = KeyReader(known)
        return reader.key(text)

    def _note(self, key: str) -> None:
        if self.may_repeat:
            return
        seen = self._seen
        before = len(seen)
        seen.add(hash(key))
        if len(seen) == before or before >= MOST_KEYS:
            self.may_repeat = True
            self._seen = set()


def require_operation(allowed: Collection[str], operation: str) -> None:
    """Raise Forbidden unless one of the patterns is for the operation, or there are none."""
    if allowed and not fits(allowed, operation):
        raise Forbidden(f"The key may not submit the operation {shortened(operation)!r}.")


def shortened(operation: str) -> str:
    """The name, or what shows that it is nobody's: no operation has a name that is so long.

    It is shown with each item, and an item's text alone counts for the size of pages and slices.
    """
    return operation if len(operation) <= LONGEST_NAME else f"{operation[:LONGEST_NAME]}…"


@cache
def _decoder(names: tuple[str, ...]) -> Callable[[str], Any]:
    """What decodes just the fields of those names."""
    fields = [(name, Any, None) for name in names]
    return msgspec.json.Decoder(msgspec.defstruct("KeyFields", fields, rename=None)).decode


class KeyReader:
    """Reads the key of one operation's items from their JSON text."""

    def __init__(self, operation: Operation | None) -> None:
        self._operation = operation if operation is not None and operation.key else None
        if self._operation is not None:
            self._names = self._operation.key
            self._decode = _decoder(self._names)
            self._values = attrgetter(*self._names)
            self._single = len(self._names) == 1
            self._separators = len(self._names) - 1
            self._plain = not self._operation.whole_number_keys

    def key(self, text: str) -> str | None:
        """The key, or None where the operation has none or the item does not give one."""
        if self._operation is None:
            return None
        try:
            found = self._values(self._decode(text))
            if self._single:
                found = (found,)
            if self._plain and (key := self._usual(found)) is not None:
                return key
            if float in map(type, found):
                data = loads(text)
                found = tuple(data[name] for name in self._names)
        except (ValueError, KeyError, RecursionError):
            return None  # the worker finds it INVALID
        values = dict(zip(self._names, found, strict=True))
        key = self._operation.key_of(values)
        return key if key is not None and storable(key) else None

    def _usual(self, parts: Sequence[Any]) -> str | None:
        """The key of parts that are plain texts, as `key_of` would make it; None for others.

        Nearly all items have such parts, and this takes a third of the time.
        """
        try:
            key = ":".join(parts)
        except TypeError:
            return None
        if (
            "" in parts
            or "%" in key
            or "/" in key
            or "\x00" in key
            or key.count(":") != self._separators
        ):
            return None
        return key


def unwrap(text: str) -> tuple[str, str | None]:
    """The data and the operation of an item that is `{"operation": ..., "data": ...}`.

    Any other item is returned as it is, without an operation.
    """
    if '"operation"' not in text or '"data"' not in text:
        return text, None
    try:
        envelope = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return text, None
    except RecursionError:
        envelope = {name: msgspec.Raw(member) for name, member in deep_envelope(text).items()}
    if envelope.keys() != _ENVELOPE:
        return text, None
    try:
        operation = msgspec.json.decode(envelope["operation"], type=str)
    except (msgspec.DecodeError, RecursionError):
        return text, None
    if not storable(operation):
        return text, None
    return bytes(envelope["data"]).decode(), operation
