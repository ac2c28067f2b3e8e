"""NDJSON, and the spool."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Malformed, TooLarge
from app.formats import Limits, Spool, read_ndjson

WIDE = Limits(items=1000, item_bytes=10_000)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def read(data: bytes, limits: Limits = WIDE) -> list[bytes]:
    return list(read_ndjson(io.BytesIO(data), limits))


@given(
    values=st.lists(VALUES, max_size=8),
    ends=st.lists(st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \t\n", b"\n \r\n"]), min_size=8),
    ascii_only=st.booleans(),
    last=st.sampled_from([b"", b"\n"]),
    bom=st.booleans(),
)
def test_what_is_written_is_read(
    values: list[Any], ends: list[bytes], ascii_only: bool, last: bytes, bom: bool
) -> None:
    texts = [json.dumps(value, ensure_ascii=ascii_only).encode() for value in values]
    body = b"".join(text + end for text, end in zip(texts, ends, strict=False)).rstrip() + last
    assert read((b"\xef\xbb\xbf" if bom else b"") + body) == texts


@given(st.binary(max_size=300))
def test_any_bytes_are_items_or_a_bad_line(data: bytes) -> None:
    items: list[bytes] = []
    said = "Line 0: "
    try:
        items = read(data)
    except Malformed as error:
        said = error.detail
    assert said.startswith("Line ")
    for item in items:
        json.loads(item)
        assert b"\n" not in item


@given(
    good=st.integers(0, 5), blank=st.integers(0, 3), bad=st.sampled_from([b"{", b"nope", b"\xff"])
)
def test_the_bad_line_and_the_item_are_counted(good: int, blank: int, bad: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        read(b"\n" * blank + b"{}\n" * good + bad + b"\n{}\n")
    assert caught.value.detail.startswith(f"Line {blank + good + 1}: ")
    assert caught.value.errors[0].pointer == f"/items/{good}"


def test_limits() -> None:
    limits = Limits(items=2, item_bytes=10)
    assert len(read(b"1\n" * 2 + b"\n" * 9, limits)) == 2
    assert read(b'"12345678"  \n', limits) == [b'"12345678"']
    for data, index in ((b"1\n" * 3, 2), (b'1\n"123456789"\n', 1)):
        with pytest.raises(TooLarge) as caught:
            read(data, limits)
        assert caught.value.errors[0].pointer == f"/items/{index}"


class Endless(io.RawIOBase):
    """A body without a line break and without an end; it says how much was read of it."""

    given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        buffer[:] = b" " * len(buffer)
        self.given += len(buffer)
        return len(buffer)


def test_a_line_without_end_is_not_waited_for() -> None:
    body = Endless()
    with pytest.raises(TooLarge):
        list(read_ndjson(io.BufferedReader(body), Limits(items=5, item_bytes=100_000)))
    assert body.given < 300_000


def test_the_spool_gives_back_what_it_took() -> None:
    def items() -> Iterator[bytes]:
        yield from (b"1", '"é\u2028"'.encode(), b'{"a": 2}')

    with Spool().fill(items()) as spool:
        assert spool.count == 3
        for _ in range(2):
            assert [item.text for item in spool.items()] == ["1", '"é\u2028"', '{"a": 2}']


def test_what_the_reader_raises_comes_out_of_the_spool() -> None:
    with Spool() as spool, pytest.raises(Malformed):
        spool.fill(read_ndjson(io.BytesIO(b"{}\n{"), WIDE))


def test_what_is_compressed_and_does_not_say_so_is_told() -> None:
    with pytest.raises(Malformed, match=r"^Line 1: It is compressed by gzip; say so by `Content-E"):
        read(b"\x1f\x8b\x08\x00")
