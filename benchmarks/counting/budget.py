"""What one batch asks of Postgres, of Redis and of the broker, while nothing else goes on.

The same batch may cost a look or a poll more when a process is slow to be scheduled, and never less
than its due: so a batch is counted several times, and the least of each count stands.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from redis import Redis

from benchmarks.counting.statements import LOGGING, Statement, count, parse
from benchmarks.feed import Feed, Feeds
from benchmarks.light import LightBatchline
from benchmarks.stack import Stack, running_stack

SIZES = (1, 10, 1000)
"""Items of the batches whose cost is promised (docs/performance.md)."""

# What goes on whether batches do or not is made rare. It is no part of a batch's cost.
_QUIET = {"SWEEP_INTERVAL": "45", "HEARTBEAT_INTERVAL": "30", "HEARTBEAT_TIMEOUT": "90"}
# Seconds without a statement after which nothing is going on any more.
_SILENCE = 0.3
_PATIENCE = 30.0


@dataclass(frozen=True)
class Budget:
    """One batch's cost. `messages`: put into a queue of the broker."""

    statements: int
    round_trips: int
    commits: int
    redis_commands: int
    messages: int

    def exceeds(self, promised: Budget) -> dict[str, tuple[int, int]]:
        """What is above `promised`: the count, and what was promised, by name."""
        mine, theirs = asdict(self), asdict(promised)
        return {name: (mine[name], theirs[name]) for name in mine if mine[name] > theirs[name]}


@dataclass(frozen=True)
class Counted:
    """A budget, with what it is made of: `commands` are Redis', by name."""

    budget: Budget
    statements: list[Statement] = field(repr=False)
    commands: Counter[str] = field(repr=False)


def least(counted: list[Counted]) -> Budget:
    """The least of each count."""
    names = [one.name for one in fields(Budget)]
    return Budget(**{name: min(getattr(one.budget, name) for one in counted) for name in names})


@contextmanager
def counting_stack(home: Path | None = None) -> Iterator[Stack]:
    """The whole Procfile on servers of its own, at rest but for what is asked of it."""
    with running_stack(home, LOGGING, settings=_QUIET) as stack:
        yield stack


def count_batches(stack: Stack, feeds: Feeds, items: int) -> Iterator[Counted]:
    """Submit batches of `items` one after the other, each waited for, and count what each costs.

    Goes on for as long as it is asked to. A few batches more go before, so that connections, caches
    and an operation's cost are there.
    """
    caller = LightBatchline(stack.url, stack.client.secret)
    redis: Redis = Redis.from_url(stack.redis)
    try:
        for _ in range(3):
            caller.run(feeds.take(items))
        while True:
            yield _count_one(stack, caller, redis, feeds.take(items))
    finally:
        caller.close()
        redis.close()


def _count_one(stack: Stack, caller: LightBatchline, redis: Redis, feed: Feed) -> Counted:
    _wait_for_silence(stack.log)
    begins, commands_before = stack.log.stat().st_size, _commands(redis)
    caller.run(feed)
    _wait_for_silence(stack.log)
    commands = _commands(redis) - commands_before
    with stack.log.open("rb") as log:
        log.seek(begins)
        statements = parse(log.read().decode(errors="replace"))
    asked = count(statements)
    budget = Budget(
        statements=asked.statements,
        round_trips=asked.round_trips,
        commits=asked.commits,
        redis_commands=commands.total(),
        # Kombu puts messages into queues by LPUSH, and nothing else here uses it.
        messages=commands["lpush"],
    )
    return Counted(budget, statements, commands)


def _commands(redis: Redis) -> Counter[str]:
    """Commands that Redis has carried out since its start, but for this one."""
    stats: dict[str, dict[str, int]] = redis.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()}
    calls.pop("info", None)
    return Counter(calls)


def _wait_for_silence(log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    size, since = -1, time.monotonic()
    while time.monotonic() - since < _SILENCE:
        if (now := log.stat().st_size) != size:
            size, since = now, time.monotonic()
        if time.monotonic() > deadline:
            raise AssertionError(f"Something goes on for longer than {_PATIENCE:g} s")
        time.sleep(0.02)
