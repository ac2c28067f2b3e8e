"""What handlers print is a line in the log for each line, whatever `print` is given."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import celery.app.log
import pytest

import workers.celery
from workers.printed import LONGEST, PrintedLines


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def kept() -> Iterator[Kept]:
    logger = logging.getLogger("tests.printed")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    kept = Kept()
    logger.addHandler(kept)
    yield kept
    logger.removeHandler(kept)


@pytest.fixture
def stream(kept: Kept) -> PrintedLines:
    return PrintedLines(logging.getLogger("tests.printed"), logging.WARNING)


def test_a_line_is_a_record(kept: Kept, stream: PrintedLines) -> None:
    print("the price of", "A1", "is", 2.7, file=stream)
    print("two\nlines", file=stream)
    print(file=stream)
    assert kept.lines == ["the price of A1 is 2.7", "two", "lines"]


def test_a_line_without_an_end_waits_for_it_or_for_a_flush(
    kept: Kept, stream: PrintedLines
) -> None:
    print("half", end=" ", file=stream)
    assert kept.lines == []
    print("whole", file=stream)
    print("last", end="", flush=True, file=stream)
    assert kept.lines == ["half whole", "last"]


def test_a_line_that_never_ends_is_told_in_parts(kept: Kept, stream: PrintedLines) -> None:
    for _ in range(LONGEST):
        print("two", end="", file=stream)
    assert "".join(kept.lines) in "two" * LONGEST
    assert 3 * LONGEST - len("".join(kept.lines)) <= LONGEST
    assert all(len(line) <= LONGEST + 3 for line in kept.lines)


def test_threads_do_not_mix(kept: Kept, stream: PrintedLines) -> None:
    stream.write("mine, ")
    other = threading.Thread(target=stream.write, args=("theirs\n",))
    other.start()
    other.join()
    stream.write("too\n")
    assert kept.lines == ["theirs", "mine, too"]


def test_workers_print_by_it() -> None:
    assert workers.celery.app is not None
    assert vars(celery.app.log)["LoggingProxy"] is PrintedLines
