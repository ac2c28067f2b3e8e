"""What JSON must keep to: depth, digits, what a double can hold."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.batches.item_keys import unwrap
from app.core.jsontext import dumps_strictly
from handlers import jsonbounds
from handlers.jsonbounds import (
    LONGEST_REFUSAL,
    MOST_DEPTH,
    MOST_DIGITS,
    all_within,
    end_of,
    flaw_of,
    refusal_of,
    refused,
    shown,
    without_strings,
)


@pytest.fixture(autouse=True, scope="module", params=[7, 1 << 14])
def _windows(request: pytest.FixtureRequest) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonbounds, "_WINDOW", request.param)
        yield


def nested(levels: int, inner: str = "") -> str:
    return "[" * levels + inner + "]" * levels


WITHIN = {
    "depth": nested(MOST_DEPTH),
    "depth of objects": '{"a":' * MOST_DEPTH + "1" + "}" * MOST_DEPTH,
    "brackets beside each other": "[" + "[]," * 500 + "[]]",
    "brackets in a string": json.dumps(nested(500)),
    "brackets behind an escaped quote": json.dumps('"\\' + nested(500)),
    "digits": "0." + "1" * (MOST_DIGITS - 1),
    "digits of a small exponent": "1" * 500 + "." + "1" * 500 + "e-300",
    "digits of an exponent": "1e" + "0" * 5000 + "1",
    "digits in a string": json.dumps("1" * 5000),
    "the largest": "1.7976931348623157e308",
    "the largest, written out": str(int(1.7976931348623157e308)),
    "nearly nothing": "1e-999",
    "a number in a string": '"1e999"',
    "hex": '"4e300000-1e999-3e9999999999999"',
}
BEYOND = {
    "depth": (f'{{"a":{nested(MOST_DEPTH)}}}', "a[]", "64 levels"),
    "depth of the item itself": (nested(MOST_DEPTH + 1), "[]", "64 levels"),
    "much depth": (f'{{"a":1,"b":{nested(100_000)}}}', "b[]", "64 levels"),
    "depth behind others": (f'{{"a":"[","b":{nested(9)},"c":{{"d":{nested(70)}}}}}', "c.d[]", "64"),
    "digits": (f'{{"a":[0.{"1" * MOST_DIGITS}]}}', "a[]", "1,000 digits"),
    "digits on both sides": (f'{{"x":{"1" * 200}.{"1" * 801}}}', "x", "1,000 digits"),
    "a negative number": (f'{{"x":-0.{"1" * 1000}e5}}', "x", "1,000 digits"),
    "a double's range": ('{"a":{"b c":1e999}}', "a.b c", "a double"),
    "and below": ('{"a":1,"b":-1.8E+308}', "b", "a double"),
    "written out": (f'{{"a\\"b":{"9" * 309}}}', 'a"b', "a double"),
    "behind an escape": ('{"a":"\\\\","b":1e400}', "b", "a double"),
    "no number at all": ("1e999", "", "a double"),
    "an exponent beyond any": ('{"a":1e-99999999999999999999}', "a", "a double"),
}


@pytest.mark.parametrize("text", WITHIN.values(), ids=WITHIN)
def test_within(text: str) -> None:
    assert flaw_of(text) is None
    assert flaw_of(f' {{"k" : {text[1:-1]} }} ' if text[0] == "[" else text) is None


@pytest.mark.parametrize(("text", "path", "why"), BEYOND.values(), ids=BEYOND)
def test_beyond(text: str, path: str, why: str) -> None:
    flaw = flaw_of(text)
    assert flaw is not None
    assert flaw.startswith(path if path else "Must")
    assert why in flaw
    spaced = re.sub(r'(?<=[{,:])(?=["\d\[{-])', " \n", text)
    assert flaw_of(spaced) == flaw
    assert not all_within(f'{{"a":1}}\n{text}\n{{"a":1}}\n'.encode())


@pytest.mark.parametrize(
    "levels",
    [
        '["[]"],' * 90 + "[" * 65 + '"{}"' + "]" * 65,
        '["]",' * 65 + '["' + "[" * 65 + '"],' + "1]," * 65 + "1]",
        '["]",' * 65 + "1" + ',"["]' * 65,
        '["\\"]",' * 65 + "1" + ',"[\\\\"]' * 65,
    ],
)
def test_depth_is_not_hidden_by_brackets_in_strings(levels: str) -> None:
    """Nor by those of other items: together they may well be balanced."""
    assert not all_within(levels.encode())


@given(
    st.lists(
        st.recursive(
            st.text(st.sampled_from('"\\[]{}1e9'), max_size=4)
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.sampled_from([10**400, 1e300, "1e999"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(st.sampled_from('"[{]}a'), max_size=3), inner, max_size=3)
            ),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 70),
)
def test_what_is_within_together_is_within(values: list[Any], levels: int) -> None:
    texts = [json.dumps(value) for value in values]
    texts[-1] = nested(levels, texts[-1])
    if all_within("\n".join(texts).encode()):
        assert [flaw_of(text) for text in texts] == [None] * len(texts)


def test_usual_items_need_no_closer_look() -> None:
    usual = {
        "id": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "names": ["ü", 'a "quoted" \\ one'],
        "price": {"amount": 12.5, "of": [{}, []]},
        "rate": 0.5,
    }
    texts = [json.dumps(usual | {"sku": f"{number}e{number}"}) for number in range(100)]
    assert all_within("\n".join(texts).encode())


def test_a_long_path_is_cut() -> None:
    text = f'{{"{"x" * 9000}":' * 60 + "1e999" + "}" * 60
    assert len(refused(flaw_of(text) or "").encode()) < LONGEST_REFUSAL
    wide = f'{{"{chr(0x10FFFF) * 90}":' * 60 + "1e999" + "}" * 60
    assert len(refused(flaw_of(wide) or "").encode()) < LONGEST_REFUSAL


TEXT = st.text(st.sampled_from('"\\[]{}a,:0e1'), max_size=12)
JSONS = st.recursive(
    st.none() | TEXT | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=30,
)


@given(JSONS)
def test_any_json_is_within(value: Any) -> None:
    text = json.dumps(value)
    assert flaw_of(text) is None
    masked = without_strings(text.encode())
    assert len(masked) == len(text.encode())
    assert re.sub(rb'"_*"', b'""', masked) == re.sub(rb'"(?:[^"\\]|\\.)*"', b'""', text.encode())
    if text[0] in "[{":
        assert end_of(text.encode() + b"]}, [") == len(text)


@given(value=JSONS, name=TEXT)
def test_what_is_beyond_is_found_beside_anything(value: Any, name: str) -> None:
    for bad in ("1e999", nested(65), "0." + "1" * 1000):
        text = json.dumps({"beside": value, name: 0})[:-2] + bad + "}"
        flaw = flaw_of(text)
        assert flaw is not None
        assert flaw.startswith((name + "[]" if bad[0] == "[" else name).lstrip("."))


def test_a_refusal_is_no_items_own_text() -> None:
    stored = refused("a.b: Must not ü.")
    assert refusal_of(stored) == "a.b: Must not ü."
    assert (shown(stored), shown('"x"')) == ("null", '"x"')
    assert json.loads(stored)
    for text in ('{"a":1}', '"\\u0000other"', '""', stored[:-1]):
        assert refusal_of(text) is None


@pytest.mark.parametrize("depth", [10, 5000])
def test_an_envelopes_data_may_nest_at_will(depth: int) -> None:
    deep = nested(depth, '{"operation":"no"},"data",1')
    for text, operation in (
        (f'{{"operation":"a.b","data":{deep}}}', "a.b"),
        (f' {{ "data" : {deep}\n, "operation":"\\u0061\\\\\\"" }} ', 'a\\"'),
    ):
        assert unwrap(text) == (deep, operation)
    for text in (
        f'{{"operation":"a","data":{deep},"x":1}}',
        f'{{"operation":1,"data":{deep}}}',
        f'{{"operation":"a","Data":{deep}}}',
        deep,
    ):
        assert unwrap(text) == (text, None)


def test_results_of_handlers_are_within_too() -> None:
    deep: Any = 1
    for _ in range(MOST_DEPTH):
        deep = [deep]
    assert dumps_strictly(deep) == nested(MOST_DEPTH, "1")
    for value in ([deep], {"a": 10**400}):
        with pytest.raises(ValueError, match="Must"):
            dumps_strictly(value)
