"""How much the dialects take: entries, an entry's bytes, a body's."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask

from app.core.settings import Settings
from tests.dialects.sending import Kept, Sender, every, sender_to
from tests.dialects.speaking import Speaker
from tests.support.application import application as running_application

MOST, MOST_BYTES, MOST_BODY = 7, 500, 10_000


@pytest.fixture(scope="module")
def small(settings: Settings) -> Iterator[Flask]:
    """An application that takes few and small items."""
    with running_application(
        replace(settings, max_items_json=MOST, max_item_bytes=MOST_BYTES)
    ) as made:
        yield made


@pytest.fixture(scope="module")
def narrow(settings: Settings) -> Iterator[Flask]:
    """An application that takes small bodies."""
    with running_application(replace(settings, max_body_bytes=MOST_BODY)) as made:
        yield made


@pytest.fixture
def small_sender(dialect: str, speak: Callable[..., Speaker], small: Flask) -> Sender:
    """To the application that takes few and small items."""
    return sender_to(small, speak, dialect)


@pytest.fixture
def narrow_sender(dialect: str, speak: Callable[..., Speaker], narrow: Flask) -> Sender:
    """To the application that takes small bodies."""
    return sender_to(narrow, speak, dialect)


@every
def test_the_limit_and_one_over(small_sender: Sender, kept: Kept) -> None:
    how = small_sender.how
    most = how.most or MOST
    batches, _ = kept()
    over = small_sender.refused(how.body(how.items(most + 1)))
    assert f"at most {most} entries, not {most + 1}" in over
    assert kept() == (batches, 0)
    at_it = small_sender(how.body(how.items(most)))
    assert at_it.status_code in (200, 202), at_it.data
    assert kept() == (batches or 1, most)


@every
def test_an_item_of_the_largest_size_and_one_byte_over(small_sender: Sender, kept: Kept) -> None:
    how = small_sender.how
    room = MOST_BYTES - len('{"a": ""}')
    text = '{"a": "%s"}'
    whole = json.dumps(how.body([{"here": 1}]))
    here = json.dumps({"here": 1})
    before = kept()
    said = small_sender.refused(whole.replace(here, text % ("x" * (room + 1))))
    assert f"at most {MOST_BYTES} bytes" in said
    assert kept() == before
    taken = small_sender(whole.replace(here, text % ("x" * room)))
    assert taken.status_code in (200, 202), taken.data


@every
def test_a_body_that_is_too_large(narrow_sender: Sender, kept: Kept) -> None:
    before = kept()
    body = json.dumps(narrow_sender.how.body([{"a": "x" * MOST_BODY}]))
    assert f"larger than {MOST_BODY} bytes" in narrow_sender.refused(body)
    bomb = gzip.compress(body.encode())
    said = narrow_sender.refused(bomb, headers={"Content-Encoding": "gzip"})
    assert f"larger than {MOST_BODY} bytes" in said
    assert kept() == before
