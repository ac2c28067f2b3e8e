"""The items: feeds for `catalog.masterlist`, every one with keys that no table holds yet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

OPERATION = "catalog.masterlist"
COLLECTION = "masterlist"
RESULT = '{"process":"INSERT"}'

# An odd factor makes n -> n * factor mod 2^36 a bijection: keys are all different, and fall
# anywhere among those that the index holds already, as those of a real catalog would.
_FACTOR = 0x9E3779B97
_MASK = (1 << 36) - 1
ASIN_SQL = f"'B' || upper(lpad(to_hex((n * {_FACTOR}) & {_MASK}), 9, '0'))"


def asin(n: int) -> str:
    """The n-th product number; `ASIN_SQL` is the same in Postgres, with n a bigint."""
    return f"B{n * _FACTOR & _MASK:09X}"


@dataclass(frozen=True)
class Feed:
    """`count` items, of the products from number `first` on."""

    first: int
    count: int

    @cached_property
    def items(self) -> list[str]:
        """The items as JSON."""
        return [
            f'{{"asin":"{asin(n)}","countryCode":"US","percACoS":{n % 1000 / 10}}}'
            for n in self._numbers()
        ]

    @cached_property
    def keys(self) -> list[str]:
        """The items' keys."""
        return [f"{asin(n)}:US" for n in self._numbers()]

    @cached_property
    def body(self) -> bytes:
        """The request: the whole feed as one JSON document."""
        return f'{{"operation":"{OPERATION}","items":[{",".join(self.items)}]}}'.encode()

    def copy_text(self, batch_id: UUID) -> bytes:
        """The items as COPY takes them: batch_id, index, key, input."""
        lines = (
            f"{batch_id}\t{index}\t{key}\t{item}\n"
            for index, (key, item) in enumerate(zip(self.keys, self.items, strict=True))
        )
        return "".join(lines).encode()

    @cached_property
    def digest(self) -> str:
        """MD5 over index, key and input of all items, a line each: what the table must hold."""
        lines = (
            f"{index} {key} {item}"
            for index, (key, item) in enumerate(zip(self.keys, self.items, strict=True))
        )
        return hashlib.md5("\n".join(lines).encode(), usedforsecurity=False).hexdigest()

    def _numbers(self) -> range:
        return range(self.first, self.first + self.count)


class Feeds:
    """Hands out feeds that never share a product."""

    def __init__(self, first: int) -> None:
        self._position = first

    def take(self, count: int) -> Feed:
        """A feed of `count` products that none before it had."""
        feed = Feed(self._position, count)
        self._position += count
        return feed
