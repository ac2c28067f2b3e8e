"""Categories: parents before children whatever the order, and a forest at all times."""

from __future__ import annotations

import random
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from handlers import Defer, Outcome
from tests.handlers.calling import HandlerContext, call, summed


def named(ref: str, parent: str | None = None) -> dict[str, Any]:
    category: dict[str, Any] = {"categoryRef": ref, "name": f"Category {ref}"}
    return category if parent is None else {**category, "parentCategoryRef": parent}


def missing(parent: str) -> tuple[int, str]:
    return 404, f'Parent category "{parent}" does not exist'


def stored(context: HandlerContext) -> dict[str, str | None]:
    """Parent by ref, of all that is stored."""
    return {
        record.data["categoryRef"]: record.data["parentCategoryRef"]
        for record in context.records.page("category", limit=10_000)
    }


def test_insert_and_update_keep_the_number(context: HandlerContext) -> None:
    (first,) = call(context, "catalog.category", named("A"))
    assert isinstance(first, Outcome)
    assert first.result["process"] == "INSERT"
    number = first.result["entityId"]
    assert number.isdecimal()
    again = call(context, "catalog.category", {**named("A"), "name": "Renamed"})
    assert summed(again) == [{"process": "UPDATE", "entityId": number}]
    record = context.records.one("category", "A")
    assert record is not None
    assert record.version == 2
    assert record.data == {
        "id": number,
        "categoryRef": "A",
        "name": "Renamed",
        "parentCategoryRef": None,
    }


def test_each_category_has_a_number_of_its_own(context: HandlerContext) -> None:
    answers = call(context, "catalog.category", *(named(f"C{number}") for number in range(50)))
    numbers = {answer.result["entityId"] for answer in answers if isinstance(answer, Outcome)}
    assert len(numbers) == 50


@pytest.mark.parametrize("order", ["parents first", "children first", "shuffled"])
def test_a_deep_chain_in_one_call(context: HandlerContext, order: str) -> None:
    depth = 800
    chain = [named("0")] + [named(str(n), str(n - 1)) for n in range(1, depth)]
    if order == "children first":
        chain.reverse()
    elif order == "shuffled":
        random.Random(7).shuffle(chain)
    answers = call(context, "catalog.category", *chain)
    assert all(isinstance(answer, Outcome) for answer in answers)
    assert stored(context) == {"0": None} | {str(n): str(n - 1) for n in range(1, depth)}


def test_what_has_no_parent_waits_and_all_below_it(context: HandlerContext) -> None:
    answers = call(
        context, "catalog.category", named("C", "B"), named("B", "A"), named("D"), named("E", "D")
    )
    assert [isinstance(answer, Defer) for answer in answers] == [True, True, False, False]
    assert summed(answers)[:2] == [missing("B"), missing("A")]
    assert stored(context) == {"D": None, "E": "D"}
    answers = call(context, "catalog.category", named("C", "B"), named("B", "A"), named("A"))
    assert all(isinstance(answer, Outcome) for answer in answers)


def test_circles_wait_for_ever(context: HandlerContext) -> None:
    answers = call(
        context,
        "catalog.category",
        named("A", "B"),
        named("B", "C"),
        named("C", "A"),
        named("self", "self"),
        named("below", "A"),
    )
    assert all(isinstance(answer, Defer) for answer in answers)
    assert summed(answers) == [missing(ref) for ref in ("B", "C", "A", "self", "A")]
    assert stored(context) == {}


def test_a_stored_category_does_not_move_under_itself(context: HandlerContext) -> None:
    call(context, "catalog.category", named("A"), named("B", "A"), named("C", "B"))
    for parent in ("A", "B", "C"):
        (answer,) = call(context, "catalog.category", named("A", parent))
        assert isinstance(answer, Defer)
        assert (answer.code, answer.message) == (404, 'Category "A" cannot stand under itself')
    # Nor by way of what comes with it.
    answers = call(context, "catalog.category", named("A", "N"), named("N", "C"))
    assert [isinstance(answer, Outcome) for answer in answers] == [False, True]
    assert stored(context) == {"A": None, "B": "A", "C": "B", "N": "C"}


def test_a_move_that_another_one_makes_room_for(context: HandlerContext) -> None:
    call(context, "catalog.category", named("A"), named("B", "A"))
    answers = call(context, "catalog.category", named("A", "B"), named("B"))
    assert all(isinstance(answer, Outcome) for answer in answers)
    assert stored(context) == {"A": "B", "B": None}


def test_refs_are_quoted_in_keys_only(context: HandlerContext) -> None:
    top, below = "50%:/x", "y:z"
    answers = call(context, "catalog.category", named(below, top), named(top))
    assert all(isinstance(answer, Outcome) for answer in answers)
    assert stored(context) == {top: None, below: top}
    assert context.records.one("category", "50%25%3A%2Fx") is not None
    (answer,) = call(context, "catalog.category", named(top, below))
    assert isinstance(answer, Defer)


def test_another_clients_category_is_no_parent(context: HandlerContext) -> None:
    other = HandlerContext(context.connection, client_id=uuid4())
    call(context, "catalog.category", named("A"))
    assert summed(call(other, "catalog.category", named("B", "A"))) == [missing("A")]


REFS = "ABCDEF"
BATCHES = st.lists(
    st.dictionaries(
        st.sampled_from(REFS), st.one_of(st.none(), st.sampled_from(REFS + "X")), min_size=1
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(batches=BATCHES)
def test_whatever_is_sent_the_categories_are_a_forest(
    engine: Engine, batches: list[dict[str, str | None]]
) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        context = HandlerContext(connection)
        expected: dict[str, str | None] = {}
        for batch in batches:
            items = [named(ref, parent) for ref, parent in batch.items()]
            for (ref, parent), answer in zip(
                batch.items(), call(context, "catalog.category", *items), strict=True
            ):
                if isinstance(answer, Outcome):
                    expected[ref] = parent
            forest = stored(context)
            assert forest == expected
            for ref in forest:
                above = [ref]
                while (parent := forest[above[-1]]) is not None:
                    assert parent in forest
                    assert parent not in above
                    above.append(parent)
        transaction.rollback()
