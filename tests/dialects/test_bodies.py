"""What a dialect refuses of a body: 400 in its own shape of error, and nothing is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dialects.sending import Kept, Sender, every

BROKEN: list[bytes] = [
    b"",
    b" ",
    b"{",
    b"[",
    b'[{"a": 1}',
    b'[{"a": 1},]',
    b"[{'a': 1}]",
    b'[{"a": NaN}]',
    b'[{"a": Infinity}]',
    b'[{"a": 01}]',
    b'[{"a": "\xff"}]',
    b'[{"a": "\\ud800"}]',
    b'[{"a": "\x01"}]',
    b'[{"a": 1}] and more',
    b"\xef\xbb\xbf[{}]",
    b"plain text",
    b"asin,countryCode\nA,US\n",
    b"[" * 5000 + b"]" * 5000,
]
OTHER_TYPES: list[Any] = ["null", "true", "7", '"text"']


@every
@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:20]))
def test_what_is_no_json(sender: Sender, kept: Kept, body: bytes) -> None:
    before = kept()
    sender.refused(body)
    if sender.how.member is not None:
        name = sender.how.member.encode()
        whole = json.dumps(sender.how.body([])).encode()
        sender.refused(whole.replace(b'"%s": []' % name, b'"%s": %s' % (name, body)))
    assert kept() == before


@every
def test_other_types(sender: Sender, kept: Kept) -> None:
    before = kept()
    for body in OTHER_TYPES:
        sender.refused(body)
    wrong: Any = {"a": 1} if isinstance(sender.how.body([]), list) else [sender.how.item]
    sender.refused(wrong)
    assert kept() == before


@every
def test_no_items(sender: Sender, kept: Kept) -> None:
    before = kept()
    assert "Must not be empty" in sender.refused(sender.how.body([]))
    assert kept() == before


@every
@pytest.mark.parametrize("entry", [None, 1, "text", True, [], [{"a": 1}]], ids=repr)
def test_an_entry_that_is_no_object(sender: Sender, kept: Kept, entry: Any) -> None:
    before = kept()
    how = sender.how
    said = sender.refused(how.body([*how.items(2), entry, *how.items(1)]))
    assert "2: Must be an object" in said
    assert kept() == before
