"""One attack, tried: another client's times without it and under it, and the memory it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.attack.caller import Experience, working
from tests.attack.kinds import Attack, Row, Target

MOST_MEMORY = 600 * 1024 * 1024
# A quick answer may become slower by so much, in seconds, and nobody minds: the machine's noise.
_NOISE = 0.025
_BEFORE = 4.0


def tried(attack: Attack, target: Target, *, timed: bool = True) -> Row:
    """Try it, and say what came of it. `timed`: whether others' times are looked at as well."""
    before = _experience(target, 1.0 if target.short else _BEFORE)
    seconds = 3.0 if target.short else attack.seconds
    wrong: list[str] = []
    under = Experience()
    with _memory(target) as memory:
        try:
            with (
                attack.under_way(target),
                working(target.stack.url, target.other.secret, seconds) as under,
            ):
                pass
        except AssertionError as error:
            wrong.append(str(error))
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")
    row = Row(attack.name, attack.limit, before.p95, under.p95, memory[0], wrong)
    if timed and row.under_attack > max(attack.factor * row.idle, row.idle + _NOISE):
        wrong.append(f"others' p95 is {row.under_attack / row.idle:.1f} times what it was")
    if row.memory > MOST_MEMORY:
        wrong.append(f"a web process took {row.memory >> 20} MiB")
    if under.errors:
        wrong.append(f"another saw {len(under.errors)} errors, as {under.errors[0]}")
    return row


def _experience(target: Target, seconds: float) -> Experience:
    with working(target.stack.url, target.other.secret, seconds) as experience:
        pass
    if experience.errors:
        raise RuntimeError(f"not even without an attack: {experience.errors[0]}")
    return experience


@contextmanager
def _memory(target: Target) -> Iterator[list[int]]:
    """The most that one web process took, in bytes, in a list of one; known after the block."""
    most = [0]
    done = threading.Event()
    guard = psutil.Process(target.stack.processes["web"].process.pid)

    def look() -> None:
        while not done.wait(0.05):
            for process in guard.children(recursive=True):
                try:
                    most[0] = max(most[0], process.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
        time.sleep(0.2)
    finally:
        done.set()
        watcher.join()
