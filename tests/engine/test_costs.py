"""How many items make a slice, by what the last ones have cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.db.statements.operations import CostSums
from tests.engine.rig import Rig
from workers.engine.figures.costs import Cost, CostBook, cost_of, slice_items


@pytest.mark.parametrize(
    ("operation", "cost", "size"),
    [
        ("test.bulk", 0.00025, 1000),
        ("test.bulk", 0.0001, 1000),  # the most there may be
        ("test.bulk", 0.001, 250),
        ("test.bulk", 0.005, 100),  # not cut smaller than this
        ("test.bulk", 0.02, 50),  # but for what would take more than a second
        ("test.bulk", 5.0, 1),
        ("test.probe", 0.005, 50),
        ("test.probe", 0.02, 12),
        ("test.outside", 0.02, 12),
        ("test.outside", 5.0, 1),
    ],
)
def test_a_slice_is_as_many_as_take_a_quarter_of_a_second(
    rig: Rig, operation: str, cost: float, size: int
) -> None:
    known = rig.registry.get(operation)
    assert known is not None
    settings = replace(rig.settings, max_slice_items=1000, slice_target_seconds=0.25)
    assert slice_items(Cost(0.0, cost), settings, known) == size


def test_what_an_older_release_has_measured_counts(rig: Rig) -> None:
    assert cost_of(CostSums(0.002, 0, 0, 0, 0, 0)) == Cost(0.0, 0.002)


def test_the_fixed_part_of_small_slices_is_not_taken_for_their_items(rig: Rig) -> None:
    """What 300 batches of ten take says little of the next ten thousand items."""
    book = CostBook()
    for _ in range(20):
        book.note("test.bulk", items=1000, seconds=0.010 + 1000 * 0.0001)
        book.write(rig.engine)
    for _ in range(300):
        book.note("test.bulk", items=10, seconds=0.010 + 10 * 0.0001)
        book.write(rig.engine)
    with rig.engine.connect() as connection:
        cost = book.cost(connection, "test.bulk")
    assert cost is not None
    assert cost.per_item == pytest.approx(0.0001, rel=0.2)
    assert cost.fixed == pytest.approx(0.010, rel=0.2)


def test_slices_of_one_size_alone_tell_a_little_too(rig: Rig) -> None:
    book = CostBook()
    for _ in range(10):
        book.note("test.probe", items=10, seconds=0.008)
    book.write(rig.engine)
    with rig.engine.connect() as connection:
        cost = book.cost(connection, "test.probe")
    assert cost is not None
    assert 0 < cost.fixed < 0.008
    assert cost.seconds(10) == pytest.approx(0.008)


def test_a_change_is_learned_within_a_few_slices(rig: Rig) -> None:
    book = CostBook()
    for seconds in [0.25] * 20 + [2.5] * 10:
        book.note("test.probe", items=50, seconds=seconds)
        book.write(rig.engine)
    with rig.engine.connect() as connection:
        cost = book.cost(connection, "test.probe")
    assert cost is not None
    assert cost.seconds(50) == pytest.approx(2.5, rel=0.25)


def test_nobody_waits_for_another_who_learns_the_same(rig: Rig) -> None:
    """The row is locked by a transaction that does not end: what was learned is kept back."""
    book, other = CostBook(), CostBook()
    book.note("test.probe", items=50, seconds=0.25)
    book.write(rig.engine)
    with rig.engine.begin() as locking:
        locking.exec_driver_sql(
            "SELECT FROM operation_costs WHERE operation = 'test.probe' FOR UPDATE"
        )
        other.note("test.probe", items=50, seconds=2.5)
        other.write(rig.engine)
        with rig.engine.connect() as connection:
            cost = other.cost(connection, "test.probe")
    assert cost is not None
    assert cost.seconds(50) == pytest.approx(0.25)


def test_what_is_learned_is_written_once_in_a_while(rig: Rig) -> None:
    now = 0.0
    book = CostBook(1.0, clock=lambda: now)
    book.note("test.probe", items=50, seconds=0.25)
    book.write(rig.engine)
    now = 0.5
    book.note("test.probe", items=50, seconds=0.25)
    book.write(rig.engine)
    written = "SELECT weight FROM operation_costs WHERE operation = 'test.probe'"
    assert rig.rows(written)[0].weight == 1.0
    now = 1.5
    book.write(rig.engine)
    assert rig.rows(written)[0].weight == pytest.approx(1.8)
