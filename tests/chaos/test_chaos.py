"""A short form of the chaos runs, with fixed seeds: everything ends, once, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import run

pytestmark = pytest.mark.long

PROCESSES_DIE = ["kill_pool_child", "kill_worker", "kill_web", "deploy_worker", "freeze_worker"]
SERVERS_DIE = ["flush_redis", "restart_postgres_immediate", "lose_valkey", "cut_connections"]
MESSAGES_GO_WRONG = ["repeat_messages", "lose_messages", "lose_callbacks", "delay_messages"]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("seed", "faults"), [(1, PROCESSES_DIE), (2, SERVERS_DIE), (3, MESSAGES_GO_WRONG)]
)
def test_whatever_dies_nothing_is_lost_and_nothing_happens_twice(
    tmp_path: Path, seed: int, faults: list[str]
) -> None:
    tmp_path.chmod(0o711)
    report = run(tmp_path, seed, faults=faults, batches=14)
    assert report.faults == faults
    assert report.batches >= 14
    assert report.problems == []
    assert report.longest[1] < 60, report.recoveries
