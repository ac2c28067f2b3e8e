"""Every state has a word in every dialect, and it is the contract's."""

from __future__ import annotations

import pytest

from app.core.lifecycle import BATCH_STATUSES, ITEM_STATUSES_SHOWN
from app.dialects import fluent, gameball, kibo, nilo, quartile
from app.dialects.common.status_map import Words, batch_words
from app.dialects.kibo.dialect import ITEM, JOB

TABLE = """
OPEN       processing  PENDING  Ready      Queued     PENDING
SCHEDULED  processing  PENDING  Pending    Queued     PENDING
PENDING    processing  PENDING  Ready      Queued     PENDING
RUNNING    processing  RUNNING  Ready      Running    RUNNING
PAUSED     processing  RUNNING  Ready      Running    RUNNING
SUCCESS    completed   SUCCESS  Completed  Completed  COMPLETE
PARTIAL    partial     PARTIAL  Completed  Completed  COMPLETE
FAILED     failed      FAILED   Completed  Completed  COMPLETE
CANCELED   failed      FAILED   Canceled   Stopped    COMPLETE
"""
ROWS = [line.split() for line in TABLE.split("\n") if line]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_batch_words(row: list[str]) -> None:
    status, *words = row
    tables = (nilo.BATCH, quartile.BATCH, JOB, gameball.BATCH, fluent.BATCH)
    assert [table[status] for table in tables] == words


def test_the_table_is_whole() -> None:
    assert [row[0] for row in ROWS] == list(BATCH_STATUSES)
    assert kibo.dialect.name == "kibo"


def test_item_words() -> None:
    assert {status: nilo.ITEM[status] for status in ITEM_STATUSES_SHOWN} == {
        "PENDING": "processing",
        "RUNNING": "processing",
        "SUCCESS": "completed",
        "INVALID": "failed",
        "FAILED": "failed",
        "CANCELED": "failed",
    }
    assert {status: ITEM[status] for status in ITEM_STATUSES_SHOWN} == {
        "PENDING": "Waiting",
        "RUNNING": "Running",
        "SUCCESS": "Completed",
        "INVALID": "ValidationFailed",
        "FAILED": "Failed",
        "CANCELED": "Canceled",
    }


def test_a_state_without_a_word_is_refused() -> None:
    with pytest.raises(ValueError, match="not one word"):
        batch_words(done="SUCCESS PARTIAL FAILED CANCELED")
    with pytest.raises(ValueError, match="not one word"):
        Words(("A", "B"), x="A B", y="B")
    with pytest.raises(ValueError, match="not one word"):
        Words(("A",), x="A C")
