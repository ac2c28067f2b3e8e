"""50 webhooks whose receiver takes connections and never answers; others are told all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.webhooks.claiming import MOST_OF_CLIENT
from tests.attack.hooks import submit, webhooks
from tests.attack.kinds import Attack, Target
from tests.support.silent import silent
from tests.support.stack import wait_for
from tests.support.telling import told_within

_WEBHOOKS = 50
# Events of each webhook: of the first alone, four at a time and 15 s each, there are 3 minutes.
_EVENTS = 5
# Another's delivery may take so many times what it takes otherwise, or so many seconds: it is a
# round through the broker, and in the gate the machine does other things.
_FACTOR = 5.0
_LEAST = 0.5
_LEAST_IN_THE_GATE = 2.0


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    tries = 2 if target.short else 5
    idle = max(told_within(target.stack, target.other) for _ in range(tries))
    most = max(_FACTOR * idle, _LEAST_IN_THE_GATE if target.short else _LEAST)
    with (
        silent() as receiver,
        target.stack.http(target.attacker) as http,
        webhooks(http, [receiver.url] * _WEBHOOKS),
    ):
        for _ in range(_EVENTS):
            submit(http)
        wait_for(lambda: len(receiver.taken) >= MOST_OF_CLIENT, what="deliveries that hang")
        yield
        slowest = max(told_within(target.stack, target.other) for _ in range(tries))
    assert slowest <= most, f"another was told after {slowest:.2f} s, otherwise {idle:.2f} s"


ATTACK = Attack("50 webhooks to receivers that hang", "4 tries of a client at once", _under_way)
