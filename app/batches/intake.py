"""The items of a submission on their way in: a few at once, more of them as a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from app.audit.recording import audit_values
from app.batches.batch_view import BATCH_COLUMNS, BatchView, batch_view
from app.batches.copying import ItemRow, copy_items
from app.batches.item_keys import ItemReader
from app.core.jsontext import dumps
from app.db.statements.batches import CREATE_BATCH, NOTE_ITEMS_OF_BATCH
from app.db.statements.submissions import write_batch_at_once
from app.formats.raw_item import RawItem

# Up to which one statement is quicker than a stream beside others, and the statement's text short.
MOST_ITEMS = 200
MOST_CHARACTERS = 1 << 18

_WRITE_AT_ONCE = write_batch_at_once(BATCH_COLUMNS)


class Intake:
    """Items that are read by `reader` and can be written once.

    `few`: whether one statement is enough. They have all been read then; of others the first.
    """

    def __init__(self, reader: ItemReader, items: Iterable[RawItem]) -> None:
        self._reader = reader
        self._rows = reader.read(items)
        self._first: list[ItemRow] = []
        self._error: Exception | None = None
        try:
            self.few = self._read_first()
        except Exception as error:  # whatever it is, it is raised where they are written
            self.few, self._error = False, error

    @property
    def empty(self) -> bool:
        """Whether there is none. Raises what reading the first of them raised."""
        if self._error is not None:
            raise self._error
        return not self._first

    def write(
        self, connection: Connection, values: Mapping[str, Any]
    ) -> tuple[int, BatchView | None]:
        """Write the batch, with `values` in its columns, and the items; how many there were.

        And the batch as it is shown, where that cost nothing. Raises what reading them raises, and
        IntegrityError where the batch's reference is taken.
        """
        if self._error is not None:
            raise self._error
        return self._at_once(connection, values) if self.few else self._stream(connection, values)

    def _read_first(self) -> bool:
        room = MOST_CHARACTERS
        for row in self._rows:
            self._first.append(row)
            room -= len(row.text)
            if room < 0 or len(self._first) > MOST_ITEMS:
                return False
        return True

    def _at_once(self, connection: Connection, values: Mapping[str, Any]) -> tuple[int, BatchView]:
        found = connection.execute(
            _WRITE_AT_ONCE,
            {
                **values,
                **{name: _text(values[name]) for name in ("metadata", "ramp")},
                "total": len(self._first),
                "mixed": self._reader.mixed,
                "may_repeat": self._reader.may_repeat,
                "inputs": [row.text for row in self._first],
                "keys": [row.key for row in self._first],
                "operations": [row.operation for row in self._first],
                **_audited(values, len(self._first)),
            },
        )
        return len(self._first), batch_view(found.mappings().one())

    def _stream(self, connection: Connection, values: Mapping[str, Any]) -> tuple[int, None]:
        connection.execute(CREATE_BATCH, values)
        rows: Iterator[ItemRow] = chain(self._first, self._rows)
        total = copy_items(connection, values["id"], rows)
        connection.execute(
            NOTE_ITEMS_OF_BATCH,
            {
                "batch_id": values["id"],
                "client_id": values["client_id"],
                "total": total,
                "mixed": self._reader.mixed,
                "may_repeat": self._reader.may_repeat,
                **_audited(values, total),
            },
        )
        return total, None


def _text(value: Any) -> str | None:
    return None if value is None else dumps(value)


def _audited(values: Mapping[str, Any], total: int) -> dict[str, Any]:
    """Of the audit's row, which both ways write by a statement that they need anyway."""
    told = ("operation", "name", "dialect", "status")
    return audit_values({"items": total, **{name: values[name] for name in told}})
