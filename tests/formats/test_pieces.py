"""However little a body holds, whoever takes it apart lets others compute meanwhile."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, cast

import pytest

from app.core.computing import alone, in_line
from app.core.errors import TooLarge
from app.formats import Limits, Spool, limits, read_csv, read_ndjson
from app.formats.jsonstream import JsonStream
from tests.support.stack import wait_for

_SECONDS = 20
_MANY = 300_000
WIDE = Limits(items=_MANY + 1, item_bytes=3 * _MANY)


class _Source(io.BytesIO):
    """A body that is there at once, but that it is read only when somebody waits for a turn."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.begun = threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        self._begin()
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        self._begin()
        return super().readline(size)

    def _begin(self) -> None:
        if not self.begun.is_set():
            self.begun.set()
            wait_for(lambda: in_line() == 1, within=_SECONDS)


def _json(stream: BinaryIO) -> Iterator[bytes]:
    return JsonStream(stream).entries(_MANY, lambda index, _: WIDE.check_size(index, _MANY + 1))  # type: ignore[arg-type, return-value]


BODIES: dict[str, tuple[Callable[[BinaryIO], Iterator[bytes]], bytes]] = {
    "lines of NDJSON without an item": (lambda it: read_ndjson(it, WIDE), b"\n" * _MANY),
    "short lines of NDJSON": (lambda it: read_ndjson(it, WIDE), b"{}\n" * _MANY),
    "rows of CSV without a cell": (lambda it: read_csv(it, WIDE), b"a\n" + b"\n" * _MANY),
    "rows of CSV without a value": (lambda it: read_csv(it, WIDE), b"a\n" + b",\n" * _MANY),
    "short rows of CSV": (lambda it: read_csv(it, WIDE), b"a\n" + b"1\n" * _MANY),
    "a cell of lines": (lambda it: read_csv(it, WIDE), b'a\n"' + b"\n" * (_MANY - 9) + b'"\n'),
    "short entries of JSON": (_json, b"[" + b"1," * _MANY + b"1]"),
}


@pytest.mark.parametrize("kind", BODIES)
def test_others_have_a_turn_before_a_body_ends(kind: str) -> None:
    read, data = BODIES[kind]
    source = _Source(data)
    ended = threading.Event()

    def items() -> Iterator[bytes]:
        yield from read(cast(BinaryIO, source))
        ended.set()

    def fill() -> int:
        with Spool() as spool:
            return spool.fill(items()).count

    def other() -> bool:
        assert source.begun.wait(_SECONDS)
        with alone():
            return ended.is_set()

    with ThreadPoolExecutor(2) as pool:
        filled, was_late = pool.submit(fill), pool.submit(other)
        assert filled.result(_SECONDS) in (0, 1, _MANY, _MANY + 1)
        assert not was_late.result(_SECONDS)
        assert ended.is_set()


@pytest.mark.parametrize("line", [b"\n", b" \t\r\n"])
def test_as_many_blank_lines_as_are_taken_and_one_more(
    monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    """A spreadsheet may write all its rows; a body that is nothing else costs time for nothing."""
    assert limits.MOST_BLANK_LINES > 1_048_576
    monkeypatch.setattr(limits, "MOST_BLANK_LINES", 5)
    for read, item in ((read_ndjson, b"{}\n"), (read_csv, b"a\n1\n")):
        blank = line if read is read_ndjson else b",\r\n"
        assert list(read(io.BytesIO(blank * 2 + item + blank * 3), WIDE))
        with pytest.raises(TooLarge, match="More than 5 lines are blank"):
            list(read(io.BytesIO(blank * 2 + item + blank * 4), WIDE))
