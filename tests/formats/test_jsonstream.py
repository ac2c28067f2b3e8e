"""JSON taken apart while it arrives: the same as what a parser says of the whole."""

from __future__ import annotations

import io
import json
from typing import Any, BinaryIO, NoReturn, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Malformed, TooLarge
from app.formats import jsonstream
from app.formats.jsonstream import JsonStream

TEXT = st.text(st.sampled_from('"\\[]{}a,:0e1 ü\n'), max_size=9)
JSONS = st.recursive(
    st.none() | st.booleans() | TEXT | st.integers() | st.floats(allow_nan=False, width=16),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
).filter(lambda value: "Infinity" not in json.dumps(value))
STYLES = st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}])


@pytest.fixture(
    autouse=True,
    scope="module",
    params=[(3, 64, 9), (1 << 18, 32, 1), (1 << 18, 1 << 16, 1 << 14)],
)
def _windows(request: pytest.FixtureRequest) -> Any:
    chunk, piece, reach = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonstream, "_CHUNK", chunk)
        patch.setattr(jsonstream, "_PIECE", piece)
        patch.setattr(jsonstream, "_REACH", reach)
        yield


def over(index: int, size: int = 0) -> NoReturn:
    raise TooLarge(f"{index}")


def stream(body: bytes) -> JsonStream:
    return JsonStream(cast(BinaryIO, io.BytesIO(body)))


def entries(body: bytes, most: int = 10_000) -> list[bytes]:
    text = stream(body)
    found = list(text.entries(most, over))
    text.end()
    return found


@given(values=st.lists(JSONS, max_size=5), style=STYLES, around=st.sampled_from(["", " ", "\n\t"]))
def test_the_entries_of_an_array(values: list[Any], style: dict[str, Any], around: str) -> None:
    texts = [json.dumps(value, **style).encode() for value in values]
    blank = around.encode()
    body = blank + b"[" + (blank + b"," + blank).join(texts) + blank + b"]" + blank
    assert entries(body) == texts
    for cut in {1, len(body) // 2, len(body) - len(blank) - 1}:
        with pytest.raises(Malformed):
            entries(body[:cut])


ALIKE = st.fixed_dictionaries({"a": JSONS | st.lists(st.fixed_dictionaries({"a": JSONS}))})


@given(values=st.lists(ALIKE, min_size=3, max_size=9), style=STYLES)
def test_entries_that_begin_alike(values: list[Any], style: dict[str, Any]) -> None:
    texts = [json.dumps(value, **style).encode() for value in values]
    assert entries(b"[" + b" , ".join(texts) + b"]") == texts
    with pytest.raises(TooLarge) as found:
        entries(b"[" + b",".join([*texts, b'{"a":' + b" " * 300 + b"1}", b'{"a":1}]']), 300)
    first = next((number for number, text in enumerate(texts) if len(text) > 300), len(texts))
    assert found.value.detail == str(first)


def test_entries_that_begin_alike_are_found_together() -> None:
    items = [b'{"a":[{"a":%d},{"a":"}"}]}' % number for number in range(300)]
    blocks = list(stream(b"[" + b",\n".join(items) + b"]").blocks(100, over))
    assert [item for block in blocks for item in block] == items
    if jsonstream._PIECE == 1 << 16 and jsonstream._CHUNK == 1 << 18:
        assert [len(block) for block in blocks] == [299, 1]


@pytest.mark.parametrize(
    "bad",
    [
        b'{"a":nul}',
        b'{"a":"\xff"}',
        b'{"a":1},',
        b'{"a":[1}',
        b'{"a":1}]',
        b'{"a":1} {"a":1}',
    ],
)
def test_one_among_many_that_is_no_json_is_named(bad: bytes) -> None:
    items = [b'{"a":1}'] * 9
    with pytest.raises(Malformed, match=r"Item [67]|byte"):
        entries(b"[" + b",".join([*items[:6], bad, *items]) + b"]")


@given(value=st.dictionaries(TEXT, JSONS, max_size=5), style=STYLES)
def test_the_members_of_an_object(value: dict[str, Any], style: dict[str, Any]) -> None:
    text = stream(json.dumps(value, **style).encode())
    found = {name: text.value(10_000, over) for name in text.members()}
    text.end()
    assert {name: json.loads(member) for name, member in found.items()} == value


@given(st.text(st.sampled_from('[]{},:"\\ 1e-.anul'), max_size=14))
def test_anything_else_is_malformed(body: str) -> None:
    try:
        expected = json.loads(body)
    except ValueError:
        expected = None
    try:
        found = entries(body.encode())
    except Malformed:
        assert not isinstance(expected, list)
    else:
        assert [json.loads(entry) for entry in found] == expected


@pytest.mark.parametrize("depth", [64, 65, 900, 5000, 60_000])
def test_what_nests_deep_comes_out_whole(depth: int) -> None:
    deep = b"[" * depth + b'{"]":"["}' + b"]" * depth
    assert entries(b"[1," + deep + b" ,2]", 200_000) == [b"1", deep, b"2"]
    for bad in (b"[1," + deep + b"],2]", b"[1,[" + deep + b",2]", b"[" + deep):
        with pytest.raises(Malformed):
            entries(bad, 200_000)


def test_the_first_that_is_too_long_is_told() -> None:
    for long in (b'"' + b"x" * 20 + b'"', b"[" + b"1," * 20 + b"1]", b"1" * 21, b"[" * 200):
        with pytest.raises(TooLarge, match="2"):
            entries(b"[1,2," + long + b",4]", 20)
        with pytest.raises(TooLarge, match="0"):
            entries(b"[" + long, 20)
    with pytest.raises(TooLarge, match="0"):
        entries(b"[" + b"[" * 100_000)


def test_an_error_says_where() -> None:
    for body, said in (
        (b'[1,{"a":nul}]', r"Item 1: .*byte"),
        (b"[1 2]", r"byte 3"),
        (b'["\xff"]', r"Item 0: Not UTF-8"),
        (b"[1]2", r"byte 3"),
        (b"[1,]", r"byte 3"),
        (b"[1", r"byte 2"),
    ):
        with pytest.raises(Malformed, match=said):
            entries(body)
