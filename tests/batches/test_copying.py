"""What COPY is fed: rows in its text format, in constant memory however wide they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.batches.copying import ItemRow, _CopySource

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
ROWS = st.lists(st.builds(ItemRow, TEXTS, st.none() | TEXTS, st.none() | TEXTS), max_size=20)
UNESCAPED = {"\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\t": "\t"}


def _whole(source: _CopySource, size: int) -> bytes:
    parts = []
    while part := source.read(size):
        assert len(part) <= size
        parts.append(part)
    return b"".join(parts)


def _field(text: str) -> str | None:
    """A field of COPY's text format, as Postgres reads it."""
    if text == r"\N":
        return None
    found, place = "", 0
    while place < len(text):
        step = 2 if text[place] == "\\" else 1
        found += UNESCAPED.get(text[place : place + step], text[place])
        place += step
    return found


@given(ROWS, st.integers(1, 200))
def test_rows_come_out_as_they_went_in(rows: list[ItemRow], size: int) -> None:
    lines = _whole(_CopySource("id", rows, 7), size).decode().split("\n")
    assert lines.pop() == ""
    assert [line.split("\t")[:2] for line in lines] == [
        ["id", str(7 + n)] for n in range(len(rows))
    ]
    assert [tuple(map(_field, line.split("\t")[2:])) for line in lines] == [
        (row.key, row.operation, row.text) for row in rows
    ]


@pytest.mark.parametrize("width", [10, 10_000, 250_000])
def test_only_a_few_rows_are_held_at_a_time(width: int) -> None:
    made = 0

    def rows() -> Iterator[ItemRow]:
        nonlocal made
        for _ in range(2000):
            made += 1
            yield ItemRow("x" * width, None, None)

    source = _CopySource("id", rows(), 0)
    read = ahead = 0
    while part := source.read(1 << 16):
        read += len(part)
        ahead = max(ahead, made * width - read)
    assert ahead <= (1 << 17) + width
    assert source.index == 2000
