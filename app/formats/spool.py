"""Items on disk, between their arrival and their COPY.

A body may take minutes to arrive. It is checked and written down here meanwhile, and only when it
is whole does a transaction begin; so a slow sender holds no lock, no snapshot and no connection,
and a bad line at the end has cost Postgres nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress

from app.core.computing import alone, breathe
from app.formats.raw_item import RawItem
from app.formats.spool_budget import SpoolShare, no_room
from handlers.jsonbounds import all_within

_BUFFER = 1 << 18
# Bytes that are read at a time, with the rest of the last item.
_READ = 64 * 1024
# Stands in the file for a line break, which in JSON can only be between tokens; this never is.
_BREAK = b"\x1e"


class Spool:
    """A temporary file of items, an item a line. Use as a context manager; gone afterwards.

    The file is in the folder that `TMPDIR` names, and has no name of its own. Raises Busy
    where there is no room for it.
    """

    def __init__(self, share: SpoolShare | None = None) -> None:
        """`share`: what bounds it, beside the disk; given back when the spool is gone."""
        self._share = share
        try:
            self._file = tempfile.TemporaryFile(buffering=_BUFFER, prefix="batchline-")  # noqa: SIM115
        except OSError as error:
            raise no_room() from error
        self.count = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        # Of a disk that is full it says so once more, and is closed all the same.
        with suppress(OSError):
            self._file.close()
        if self._share is not None:
            self._share.release()

    def fill(self, items: Iterable[bytes]) -> Spool:
        """Write `items`, JSON texts. What the iterable raises is raised."""
        return self.fill_blocks([item] for item in items)

    def fill_blocks(self, blocks: Iterable[list[bytes]]) -> Spool:
        """The same, with items that come some at a time.

        What makes them computes alone (`app.core.computing`) but where it waits for more.
        """
        try:
            with alone():
                self._write(blocks)
        except OSError as error:
            raise no_room() from error
        return self

    def _write(self, blocks: Iterable[list[bytes]]) -> None:
        write = self._file.write
        for block in blocks:
            lines = b"\n".join(block)
            if lines.count(b"\n") >= len(block):
                lines = b"\n".join(item.replace(b"\n", _BREAK) for item in block)
            if self._share is not None:
                self._share.use(len(lines) + 1)
            write(lines)
            write(b"\n")
            self.count += len(block)
            breathe()
        self._file.flush()

    def items(self) -> Iterator[RawItem]:
        """The items that were written, from the first on."""
        self._file.seek(0)
        while block := self._file.read(_READ):
            block += self._file.readline()
            within = all_within(block)
            lines = block[:-1].decode().split("\n")
            if _BREAK in block:
                lines = [line.replace(_BREAK.decode(), "\n") for line in lines]
            for line in lines:
                yield RawItem(line, None, within)

    def clear(self) -> None:
        """Forget what was written."""
        self._file.seek(0)
        self._file.truncate()
        if self._share is not None:
            self._share.release()
        self.count = 0
