"""A client's records in memory (`batchline.Records`), which can go back to what they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.core.jsontext import dumps, loads
from handlers.keys import quote_part


class MemoryRecords:
    """Records by collection and key. What is stored is JSON, and read again as in a worker.

    Give one to several runs to have the later find what the earlier stored.
    """

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], str] = {}

    def upsert(self, collection: str, rows: Sequence[tuple[str, Any]]) -> list[bool]:
        """Write rows with distinct keys; True where the record was new."""
        new = [self._place(collection, key) not in self._texts for key, _ in _distinct(rows)]
        self._write(collection, rows)
        return new

    def get(self, collection: str, keys: Sequence[str], *, lock: bool = False) -> dict[str, Any]:
        """The data of those records that exist, by key; `lock` does nothing here."""
        found = {key: self._texts.get(self._place(collection, key)) for key in sorted(keys)}
        return {key: loads(text) for key, text in found.items() if text is not None}

    def insert(self, collection: str, rows: Sequence[tuple[str, Any]]) -> list[bool]:
        """Write rows with distinct keys where there is none yet; True where it was written."""
        written = [self._place(collection, key) not in self._texts for key, _ in _distinct(rows)]
        self._write(collection, [row for row, wanted in zip(rows, written, strict=True) if wanted])
        return written

    def update(self, collection: str, rows: Sequence[tuple[str, Any]]) -> list[bool]:
        """Write rows with distinct keys where there is one already; True where it was written."""
        written = [self._place(collection, key) in self._texts for key, _ in _distinct(rows)]
        self._write(collection, [row for row, wanted in zip(rows, written, strict=True) if wanted])
        return written

    def delete(self, collection: str, keys: Sequence[str]) -> list[bool]:
        """Remove records with distinct keys; True where there was one."""
        return [self._texts.pop(self._place(collection, key), None) is not None for key in keys]

    def ancestry(
        self, collection: str, keys: Sequence[str], *, parent: str
    ) -> dict[str, str | None]:
        """Parent keys by key, for those of the records that exist and for all that stand above."""
        found: dict[str, str | None] = {}
        ahead = list(keys)
        while ahead:
            key = ahead.pop()
            text = self._texts.get(self._place(collection, key))
            if text is None or key in found:
                continue
            above = loads(text).get(parent)
            found[key] = None if above is None else quote_part(str(above))
            ahead += [above for above in (found[key],) if above is not None]
        return found

    def all(self, collection: str) -> dict[str, Any]:
        """Every record of the collection, by key: for a test to look at."""
        keys = [key for name, key in self._texts if name == collection]
        return self.get(collection, keys)

    def kept(self) -> dict[tuple[str, str], str]:
        """How everything is now, for `restore`."""
        return dict(self._texts)

    def restore(self, kept: dict[tuple[str, str], str]) -> None:
        """Back to how it was."""
        self._texts = dict(kept)

    def _write(self, collection: str, rows: Sequence[tuple[str, Any]]) -> None:
        # All are made into text before one is written, as the database takes all or none.
        texts = [(self._place(collection, key), dumps(data)) for key, data in rows]
        self._texts.update(texts)

    def _place(self, collection: str, key: str) -> tuple[str, str]:
        if not isinstance(key, str):
            raise TypeError(f"the key of a record is text, not {key!r}")
        return collection, key


def _distinct(rows: Sequence[tuple[str, Any]]) -> Sequence[tuple[str, Any]]:
    keys = [key for key, _ in rows]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the record {twice!r} is written twice in one call")
    return rows
