"""Bodies that are not held as a whole, and items beyond the bounds, by every dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.web.jsonbody import IN_MEMORY
from handlers.jsonbounds import MOST_DEPTH
from tests.dialects.conftest import Finish
from tests.dialects.sending import Kept, Sender, every
from tests.dialects.speaking import Speaker

BLANK = "\n" * IN_MEMORY


def sent(sender: Sender, *items: str, large: bool = True) -> str:
    """A body of these items, to the letter."""
    whole = json.dumps(sender.how.body([{"here": 1}]))
    return whole.replace('{"here": 1}', ",".join(items)).replace(
        "[", "[" + (BLANK if large else ""), 1
    )


@every
def test_items_are_kept_to_the_letter(sender: Sender, kept: Kept, speak: Any) -> None:
    before = kept()
    item = '{"a" :\n 1.50, "a": [1,\r\n2], "ü": "%s"}' % ("x" * 1000)
    assert sender(sent(sender, item, item)).status_code in (200, 202)
    assert kept()[1] == before[1] + 2
    native: Speaker = speak("fluent")
    batch = native.shown(f"/v1/batches?dialect={sender.dialect}&limit=1")["data"][0]
    assert f'"input":{item},"' in native.get(f"/v1/batches/{batch['id']}/items/1").text


@every
def test_what_is_refused_of_them(sender: Sender, kept: Kept) -> None:
    before = kept()
    good, most = json.dumps(sender.how.item), sender.how.most
    for items, said in (
        ([good, "7"], "1: Must be an object"),
        ([good, good, '{"a": "%s"}' % ("x" * 300_000)], "2: Must have at most"),
        ([], "Must not be empty"),
        ([good, "{oops}"], "JSON"),
        ([good] * 101 if most == 100 else ["1"], "entries" if most == 100 else "an object"),
    ):
        assert said in sender.refused(sent(sender, *items))
    sender.refused(sent(sender, good)[:-1])
    sender.refused(sent(sender, good) + "x")
    if sender.how.member is not None:
        said = sender.refused(sent(sender, good)[:-1] + ', "foo": 1}')
        assert "foo" in said
        assert "Must be an array" in sender.refused(
            json.dumps({**sender.how.body([]), sender.how.member: "x" * IN_MEMORY})
        )
    assert kept() == before


@every
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("depth", [MOST_DEPTH, 20_000])
def test_an_item_beyond_the_bounds_is_invalid(
    sender: Sender, speak: Any, finish: Finish, large: bool, depth: int
) -> None:
    deep = '{"tree":' + "[" * depth + "]" * depth + "}"
    body = sent(sender, deep, '{"a":1e999}', json.dumps(sender.how.item), large=large)
    assert sender(body).status_code in (200, 202)
    native: Speaker = speak("fluent")
    batch = native.shown(f"/v1/batches?dialect={sender.dialect}&limit=1")["data"][0]
    if batch["status"] == "OPEN":
        assert native.post(f"/v1/batches/{batch['id']}/start", None).status_code == 202
    finish(sender.dialect, batch["reference"])
    items = native.shown(f"/v1/batches/{batch['id']}/items")["data"]
    assert [item["input"] for item in items[:2]] == [None, None]
    assert [item["status"] for item in items[:2]] == ["INVALID", "INVALID"]
    assert items[0]["message"].startswith("tree[]")
    assert items[1]["message"].startswith("a: ")
