"""Processor time of everything that runs, by what it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import psutil

from app.local.servers.guarded import Guarded

KINDS = (
    "web", "worker parent", "worker children", "slow", "beat", "flower", "postgres", "redis",
)  # fmt: skip
"""In the order in which they are shown; what else runs comes behind."""
_PARENT_AND_CHILDREN = ("worker",)


def processor_seconds(processes: Mapping[str, Guarded]) -> dict[str, float]:
    """Seconds since their start, by name; for a worker those of its parent process apart.

    What has ended meanwhile is in its parent's time. Guards are left out.
    """
    seconds: dict[str, float] = {}
    for name, guarded in processes.items():
        for kind, process in _tree(name, guarded):
            with contextlib.suppress(psutil.NoSuchProcess):
                seconds[kind] = seconds.get(kind, 0.0) + _seconds_of(process)
    return seconds


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What each has used between two readings, in the order of KINDS."""
    order = {kind: place for place, kind in enumerate(KINDS)}
    names = sorted(after, key=lambda name: (order.get(name, len(order)), name))
    return {name: max(0.0, after[name] - before.get(name, 0.0)) for name in names}


def _tree(name: str, guarded: Guarded) -> Iterator[tuple[str, psutil.Process]]:
    guard = psutil.Process(guarded.process.pid)
    for command in guard.children():
        apart = name in _PARENT_AND_CHILDREN
        yield (f"{name} parent" if apart else name), command
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in command.children(recursive=True):
                yield (f"{name} children" if apart else name), child


def _seconds_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)
