"""The faults of a deploy: workers of two releases side by side, and one that is rolled back."""

from __future__ import annotations

import random
import time

from tests.chaos.faults import fault
from tests.chaos.machine import Machine
from tests.releases.before import code_of_the_release_before


@fault
def lack_handlers(machine: Machine, rng: random.Random) -> None:
    """A release with more handlers is rolled back, worker by worker, and then rolled out again.

    In between nobody has them, and their items wait.
    """
    names = [*machine.workers, "slow"]
    rng.shuffle(names)
    for environ in ({"HANDLERS": ""}, {}):
        for name in names:
            machine.replace(name, environ=environ)
            time.sleep(rng.uniform(0, 2))


@fault
def run_release_before(machine: Machine, rng: random.Random) -> None:
    """A deploy is rolled back halfway: workers of the release before, beside one of today's."""
    code = machine.home / "release-before"
    if not code.exists():
        code_of_the_release_before(code)
    names = [rng.choice(machine.workers), "slow"]
    for name in names:
        machine.replace(name, root=code, environ={"HANDLERS": ""})
    time.sleep(rng.uniform(6, 10))
    for name in names:
        machine.replace(name)


RELEASE_BEFORE = run_release_before.__name__
