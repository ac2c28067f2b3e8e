"""CSV as spreadsheets write it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.errors import Invalid, Malformed, TooLarge
from app.formats import Limits, read_csv
from app.formats.csvrows import MOST_COLUMNS

WIDE = Limits(items=1000, item_bytes=300_000)
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8).filter(
        lambda name: name.strip() == name and name
    ),
    min_size=1,
    max_size=5,
    unique=True,
)


def read(data: bytes, limits: Limits = WIDE) -> list[dict[str, str]]:
    return [json.loads(item) for item in read_csv(io.BytesIO(data), limits)]


@given(
    names=NAMES,
    data=st.data(),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_is_written_is_read(
    names: list[str], data: st.DataObject, end: str, bom: bool, quoting: int
) -> None:
    if len(names) == 1:
        assume(not set(names[0]) & set(";\t|"))
    assume(not names[0].lower().startswith("sep="))
    row = st.lists(CELLS, min_size=len(names), max_size=len(names))
    rows = data.draw(st.lists(row, max_size=6))
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=end, quoting=cast(Any, quoting))
    writer.writerow(names)
    writer.writerows(rows)
    text = file.getvalue()
    assume(quoting == csv.QUOTE_ALL or not any("\r" in cell for cell in sum(rows, names)))
    body = text.encode("utf-8-sig" if bom else "utf-8")
    expected = [
        {name: cell for name, cell in zip(names, cells, strict=True) if cell}
        for cells in rows
        if any(cells)
    ]
    assert read(body) == expected


@given(
    table=st.integers(1, 5).flatmap(
        lambda columns: st.lists(
            st.lists(
                st.sampled_from(["", "1", "x y", 'a"b', "line\nbreak", ",;\t"]), max_size=columns
            ),
            max_size=8,
        ).map(lambda rows: (columns, rows))
    ),
    separator=st.sampled_from([None, ",", ";", "\t"]),
    padding=st.integers(0, 3),
    blanks=st.lists(st.integers(0, 3), min_size=9, max_size=9),
    beyond=st.none() | st.integers(0, 7),
)
def test_a_rectangle_with_blank_rows_in_it(
    table: tuple[int, list[list[str]]],
    separator: str | None,
    padding: int,
    blanks: list[int],
    beyond: int | None,
) -> None:
    """Blank rows count as lines only; short rows are filled, and what is empty at the end goes."""
    columns, rows = table
    names = [f"c{number}" for number in range(columns)]
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator or ",", lineterminator="\n")
    if separator is not None:
        file.write(f"sep={separator}\n")
    expected, bad_line = [], None
    for number, row in enumerate([names, *rows]):
        for _ in range(blanks[number]):
            writer.writerow([""] * (columns + padding) if columns + padding > 1 else [])
        if bad_line is None and number - 1 == beyond:
            bad_line = file.getvalue().count("\n") + 1
            row = [*row, *[""] * (columns - len(row)), "", "too much"]
        # A lone empty cell is written as a pair of quotes, which is as empty.
        writer.writerow([*row, *[""] * padding])
        if number and any(row):
            expected.append({n: cell for n, cell in zip(names, row, strict=False) if cell})
    body = file.getvalue().encode()
    if bad_line is None:
        assert read(body) == expected
        return
    with pytest.raises(Malformed) as caught:
        read(body)
    assert caught.value.detail.startswith(f"Line {bad_line}: Has a value beyond the {columns}")


@given(st.binary(max_size=200))
def test_any_bytes_are_items_or_a_bad_line(data: bytes) -> None:
    items: list[dict[str, str]] = []
    said = "Line 0: "
    try:
        items = read(data)
    except Malformed as error:
        said = error.detail
    assert said.startswith("Line ")
    assert all(isinstance(item, dict) for item in items)


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        (b"", 1, "no header"),
        (b"\n\n", 1, "no header"),
        (b"a;b\n1;2\n", 1, "semicolons; separate them by commas or say `sep=;` in a line before."),
        (b"a\tb\n1\t2\n", 1, "tabs"),
        (b"a|b\n", 1, "bars"),
        (b"a,b,a\n", 1, "twice"),
        (b"a, a\n", 1, "twice"),
        (b"a,,b\n", 1, "Column 2"),
        (b"\na,,b\n", 2, "Column 2"),
        (b"\n,\n\n , \n", 4, "Column 1"),
        (b"a,b\n1,2,3\n", 2, "beyond the 2 columns"),
        (b"a,b,\n1,2,,3\n", 2, "beyond the 2 columns"),
        (b'a,b\n"1\n1",2\n3,,,4\n', 4, "beyond the 2 columns"),
        (b"sep=|\na|b\n", 1, "sep="),
        (b"sep=;\n\na;b\n1;2;3\n", 4, "beyond"),
        (b"sep=,\n", 1, "no header"),
        (b'a,b\n1,"2', 2, "does not end"),
        (b'a,b\n1,"2\n3,4\n', 2, "does not end"),
        (b'a,b\n1,"2"3\n', 2, "Not CSV"),
        (b"a,b\n1,2\r3,4\n", 2, "carriage return"),
        (b"a,b\n1,\x00\n", 2, "NUL"),
        (b"a,b\n1,2\n1,\xe9\n", 3, "UTF-8"),
        ("a,b\n".encode("utf-16"), 1, "It is UTF-16; send UTF-8"),
        (b"a,b\n1,\xe9\n", 2, "`CSV UTF-8`"),
        (b"PK\x03\x04\x14\x00\x06", 1, "a workbook"),
        (b"\x1f\x8b\x08\x00", 1, "Content-Encoding: gzip"),
    ],
)
def test_a_bad_line_is_named(body: bytes, line: int, said: str) -> None:
    with pytest.raises(Malformed) as caught:
        read(body)
    assert caught.value.detail.startswith(f"Line {line}: ")
    assert said in caught.value.detail


def test_spaces_around_names_go_and_those_around_cells_stay() -> None:
    assert read(b"a , b\n 1,2 \n") == [{"a": " 1", "b": "2 "}]


def test_blank_lines_are_passed_over_and_empty_cells_left_out() -> None:
    assert read(b"\na,b\n\n1,\n\n,\n") == [{"a": "1"}]


def test_a_spreadsheets_rectangle() -> None:
    body = b"\n,,\na,b,,\n1,2,,\n,,,,,,\n3\n,4\n"
    assert read(body) == [{"a": "1", "b": "2"}, {"a": "3"}, {"b": "4"}]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("first", ["sep={}\n", "\ufeffsep={}\r\n", '"sep={}"\n', "SEP={}\n"])
def test_a_file_may_name_its_separator(separator: str, first: str) -> None:
    text = first.format(separator) + f'a{separator}b\n1{separator}"2{separator}3"\n'
    assert read(text.encode()) == [{"a": "1", "b": f"2{separator}3"}]


def test_as_many_columns_as_are_taken_and_one_more() -> None:
    def body(columns: int) -> bytes:
        return ",".join(f"c{number}" for number in range(columns)).encode() + b"\n1\n"

    assert read(body(MOST_COLUMNS)) == [{"c0": "1"}]
    with pytest.raises(Invalid) as caught:
        read(body(MOST_COLUMNS + 1))
    assert caught.value.detail.startswith("Line 1: Has 1001 columns")


def test_cells_may_be_longer_than_the_modules_own_limit() -> None:
    assert read(b"a\n" + b"x" * 200_000 + b"\n") == [{"a": "x" * 200_000}]


def test_limits() -> None:
    limits = Limits(items=2, item_bytes=20)
    assert len(read(b"a\n1\n2\n\n", limits)) == 2
    for body, index in (
        (b"a\n1\n2\n3\n", 2),
        (b"a\n1\n" + b"x" * 30, 1),
        (b'a\n"' + b"\n" * 10_000, 0),
        (b"a\n" + b"x" * 10_000, 0),
    ):
        with pytest.raises(TooLarge) as caught:
            read(body, limits)
        assert caught.value.errors[0].pointer == f"/items/{index}"


def test_a_small_body_makes_no_more_than_may_be() -> None:
    """Each item repeats the header: two bytes of a row may be a quarter of a MiB of an item."""
    name = b"n" * 100_000
    limits = Limits(items=10**6, item_bytes=1 << 18, all_bytes=1_000_000)
    items = read_csv(io.BytesIO(name + b"\n" + b"1\n" * 100_000), limits)
    for _ in range(9):
        assert len(next(items)) > 100_000
    with pytest.raises(TooLarge, match="Item 9: With it the items have more than 1000000 bytes"):
        next(items)
    assert len(list(read_csv(io.BytesIO(b"n\n" + b"1\n" * 100_000), limits))) == 100_000


class Endless(io.RawIOBase):
    """Lines of one row that never ends."""

    given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        start = b'a,b\n"' if not self.given else b""
        filled = (start + b'x\n","' * len(buffer))[: len(buffer)]
        buffer[:] = filled
        self.given += len(buffer)
        return len(buffer)


def test_a_row_without_end_is_not_waited_for() -> None:
    body = Endless()
    file = cast(BinaryIO, io.BufferedReader(cast(Any, body)))
    with pytest.raises(TooLarge):
        list(read_csv(file, Limits(items=5, item_bytes=50_000)))
    assert body.given < 300_000
