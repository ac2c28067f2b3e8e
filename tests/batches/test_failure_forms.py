"""Messages without what varies, and the ids that are made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from time import thread_time_ns

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.batches.failures.identity import OTHER, identify
from app.batches.failures.kinds import tell_apart
from app.batches.failures.normal_form import LONGEST, normal_form

# What Postgres, marshmallow, HTTP servers, requests and Python do say.
REAL = {
    'Parent category "Shoes & Boots" does not exist': 'Parent category "…" does not exist',
    "countryCode: Must be two capital letters.": "countryCode: Must be two capital letters.",
    "lines.12.quantity: Not a valid integer.": "lines.….quantity: Not a valid integer.",
    "percACoS: Must be greater than or equal to 0 and less than or equal to 100.": (
        "percACoS: Must be greater than or equal to … and less than or equal to …."
    ),
    "units: Must be one of: 1, 2, 12.": "units: Must be one of: ….",
    'duplicate key value violates unique constraint "pk_sku" DETAIL: Key (sku)=(B00X12) exists.': (
        'duplicate key value violates unique constraint "…" DETAIL: Key (sku)=(…) exists.'
    ),
    "NotNullViolation: null value in column \"price\" DETAIL: Failing row has (7, 'A', null).": (
        "NotNullViolation: null value in column \"…\" DETAIL: Failing row has (…, '…', null)."
    ),
    "invalid input syntax for type uuid: «0190-x»": "invalid input syntax for type uuid: «…»",
    'could not connect to "db": Connection refused (10.1.2.3:5432)': (
        'could not connect to "…": Connection refused (…)'
    ),
    'The downstream answered 409: {"error":{"code":"OUT_OF_STOCK","message":"3 left"},"sku":"B"}': (
        'The downstream answered …: {"error":{"code":"OUT_OF_STOCK","message":"… left"},"sku":"…"}'
    ),
    "404 Client Error: Not Found for url: https://api.example.com/v1/skus/A-17?x=1": (
        "… Client Error: Not Found for url: …"
    ),
    "ConnectTimeout: could not reach api.stock.internal after 3.05 s": (
        "ConnectTimeout: could not reach … after … s"
    ),
    "Name or service not known: localhost": "Name or service not known: …",
    "KeyError: 'sku'": "KeyError: '…'",
    "ValueError: could not convert string to float: '1,5'": (
        "ValueError: could not convert string to float: '…'"
    ),
    "ValueError: it's not O'Brien's 'D'Arcy' today": "ValueError: it's not O'Brien's '…' today",
    "AttributeError: <shop.Order object at 0x7f3a2c> has no attribute `total`": (
        "AttributeError: <shop.Order object at …> has no attribute `…`"
    ),
    "psycopg.errors.DeadlockDetected: Process 4711 waits for ShareLock on transaction 99": (
        "psycopg.errors.DeadlockDetected: Process … waits for ShareLock on transaction …"
    ),
    'Traceback (most recent call last):\n  File "/app/x.py", line 3, in run': (
        'Traceback (most recent call last): File "…", line …, in run'
    ),
    "jo.doe@example.com may not order before 2026-11-28T01:02:03Z": "… may not order before …",
    "Took longer than 1.5 s.": "Took longer than … s.",
    "1,234,567 units are 98.5% of all": "… units are …% of all",
    'Unknown fields "a", "b", "c"': 'Unknown fields "…"',
    "cut in the middle of 'a val": "cut in the middle of '…'",
    "Insufficient balance": "Insufficient balance",
    "": "",
}


@pytest.mark.parametrize("message", REAL)
def test_what_varies_is_taken_out(message: str) -> None:
    assert normal_form(message) == REAL[message]


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ('No category "A"', 'No category "Größe, \\"XL\\""'),
        ("order 1 of 2", "order 1,000 of 20000"),
        ("sku B0001 is gone", "sku AX93-17 is gone"),
        ("could not reach a.example.com:80", "could not reach other.example.org:8443"),
        ("unknown 'x'", "unknown 'it's'"),
        ("is 0190a5c2-1111-7abc-8def-001122334455", "is ffffffff-ffff-4fff-8fff-fffffffffff0"),
    ],
)
def test_they_are_the_same_failure(one: str, another: str) -> None:
    assert normal_form(one) == normal_form(another)


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("sku: Must be text.", "asin: Must be text."),
        ("lines.1.sku: Required.", "lines.1.count: Required."),
        ('{"code":"OUT_OF_STOCK"}', '{"code":"NO_SUCH_SKU"}'),
        ("KeyError: 'a'", "ValueError: 'a'"),
        ('No category "A"', "No category 'A'"),
    ],
)
def test_they_are_not(one: str, another: str) -> None:
    assert normal_form(one) != normal_form(another)


_PIECES = st.text("ab1X.:;\"'`{},«»“”\u2018\u2019…@/\\ -=[]()A_\ncom", max_size=80)


@given(st.one_of(_PIECES, st.text(max_size=80)))
def test_nothing_more_is_taken_out_the_second_time(message: str) -> None:
    form = normal_form(message)
    assert normal_form(form) == form
    assert not re.search(r"\d", form), form


@given(st.one_of(_PIECES, st.text(max_size=80)), st.randoms(use_true_random=False))
def test_which_digit_one_is_says_nothing(message: str, chance: Random) -> None:
    """So digits may be made equal first, for all messages of a slice at once."""
    other = re.sub("[0-9]", lambda _: chance.choice("0123456789"), message)
    assert normal_form(other) == normal_form(message)


@dataclass(frozen=True)
class _Ended:
    operation: str | None
    status: str
    code: int | None


_ENDED = st.builds(
    _Ended,
    st.sampled_from([None, "a", "b"]),
    st.sampled_from(["FAILED", "INVALID"]),
    st.sampled_from([None, 404, 500]),
)
# As they are stored: without NUL, and with two that differ in digits alone.
_SAID = st.one_of(
    st.sampled_from(["", "0", "12", "Order 1 was closed", "Order 27 was closed"]),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20),
)


@given(st.lists(st.tuples(_ENDED, _SAID), max_size=20))
def test_many_at_once_are_told_apart_as_one_by_one(items: list[tuple[_Ended, str]]) -> None:
    kinds = tell_apart([ended for ended, _ in items], [said for _, said in items])
    assert [kinds.kinds[place] for place in kinds.places] == [
        identify(ended.operation, ended.status, ended.code, said) for ended, said in items
    ]
    assert len(set(kinds.kinds)) == len(kinds.kinds)
    assert set(kinds.places) == set(range(len(kinds.kinds)))


@given(st.text(max_size=3 * LONGEST))
def test_a_form_is_one_line_and_has_an_end(message: str) -> None:
    form = normal_form(message)
    assert len(form) <= LONGEST + 2
    assert form == " ".join(form.split())


BAD = ["'a ", "'a", "«", '"', "a.", "a@", "1", "a.1", '{"error": "', "a", "http://", "\\'", "-."]
BAD += ["a-", '{"', "com.", " a.b.1.", "A", "{'", "“", ":", ",…", '"…",', "0.", "_a.1:", "/:"]


@pytest.mark.parametrize("piece", BAD)
def test_no_message_takes_long(piece: str) -> None:
    """Ten times as much takes ten times as long, on this thread's own clock.

    A form that looked for its end from each place would take a hundred times as long; a garbage
    collection or a cold cache adds a few milliseconds, so of three tries the least counts.
    """

    def took(size: int) -> int:
        times = []
        for number in range(3):
            text = piece * (size // len(piece)) + f" {'x' * (number + 1)}"  # unknown yet
            begun = thread_time_ns()
            normal_form(text)
            times.append(thread_time_ns() - begun)
        return min(times)

    assert took(40_000) < 25 * max(took(4_000), 20_000)


def test_ids_are_the_same_in_every_release() -> None:
    """Callers keep them, to retry by cause: they change only if this test is changed."""
    ids = {
        identify("catalog.category", "FAILED", 404, f'Parent category "{name}" does not exist').id
        for name in ("A", "B 12")
    }
    assert ids == {"hdxrtcpu5ym2"}
    assert (
        identify("catalog.price", "INVALID", 422, "price: Not a valid number.").id == "xlenyewqxloo"
    )
    assert identify(None, "FAILED", None, None).id == "xolpjo5oihe2"


def test_ids_tell_apart_what_is_not_the_same() -> None:
    ids = [
        identify(*each).id
        for each in (
            ("a", "FAILED", 404, "gone"),
            ("b", "FAILED", 404, "gone"),
            ("a", "INVALID", 404, "gone"),
            ("a", "FAILED", 410, "gone"),
            ("a", "FAILED", 404, "went"),
        )
    ]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[a-z2-7]{12}", each) for each in ids)
    assert OTHER not in ids
