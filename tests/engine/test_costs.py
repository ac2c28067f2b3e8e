"""How many items make a slice, by what one has lately cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.rig import Rig
from workers.engine.plan.costs import slice_size


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
    rig.run("DELETE FROM operation_costs")
    rig.run(
        "INSERT INTO operation_costs (operation, seconds_per_item) VALUES (:operation, :cost)",
        operation=operation,
        cost=cost,
    )
    settings = replace(rig.settings, max_slice_items=1000, slice_target_seconds=0.25)
    with rig.engine.connect() as connection:
        assert slice_size(connection, settings, rig.registry.get(operation)) == size
