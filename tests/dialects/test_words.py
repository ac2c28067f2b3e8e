"""Every state has a word in every dialect, and it is the one that docs/dialects.md says."""

from __future__ import annotations

import re

import pytest

from app.core.lifecycle import BATCH_STATUSES, ITEM_STATUSES_SHOWN
from app.dialects import DIALECTS
from app.dialects.common.dialect import Dialect
from app.dialects.common.status_map import Words, batch_words
from tests.support.stack import ROOT

DOCUMENT = (ROOT / "docs" / "dialects.md").read_text()


def table_of(first: str) -> dict[str, dict[str, str]]:
    """The document's table whose first column is called `first`: by dialect, a word by state.

    A cell may say an HTTP status before the word; a row may be of several states.
    """
    found = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", DOCUMENT, re.M)
    assert found is not None, first
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in found.group(0).strip().split("\n")
    ]
    words: dict[str, dict[str, str]] = {name: {} for name in head[1:]}
    for states, *cells in rows:
        for name, cell in zip(head[1:], cells, strict=True):
            words[name] |= dict.fromkeys(states.split(", "), cell.split()[-1])
    return words


BATCHES, ITEMS = table_of("Batchline"), table_of("an item")


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_batch_words(dialect: Dialect) -> None:
    assert dict(dialect.words) == BATCHES[dialect.name]


@pytest.mark.parametrize(
    "dialect", [dialect for dialect in DIALECTS if dialect.item_words], ids=lambda it: it.name
)
def test_item_words(dialect: Dialect) -> None:
    assert dialect.item_words is not None
    assert dict(dialect.item_words) == ITEMS[dialect.name]


def test_the_tables_are_whole() -> None:
    assert list(BATCHES) == [dialect.name for dialect in DIALECTS]
    assert list(ITEMS) == [dialect.name for dialect in DIALECTS if dialect.item_words]
    assert all(set(words) == set(BATCH_STATUSES) for words in BATCHES.values())
    assert all(set(words) == set(ITEM_STATUSES_SHOWN) for words in ITEMS.values())


def test_a_state_without_a_word_is_refused() -> None:
    with pytest.raises(ValueError, match="not one word"):
        batch_words(done="SUCCESS PARTIAL FAILED CANCELED")
    with pytest.raises(ValueError, match="not one word"):
        Words(("A", "B"), x="A B", y="B")
    with pytest.raises(ValueError, match="not one word"):
        Words(("A",), x="A C")
