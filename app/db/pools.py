"""How many connections to Postgres a process holds at most: pools go by it, doctor adds it up.

`docs/operating.md` says the same to who sizes a Postgres.
"""

from __future__ import annotations

# Requests hold a connection only while they use it, and most of a request's time is spent
# elsewhere; what waits (`?wait=`, events) holds none.
_OF_WEB = 20
# Of a worker's: for what it asks beside the slices under way.
_BESIDE_SLOTS = 4
HEARTBEAT = 1
# Of a sender: a claim and an answer take a few milliseconds, and none is held in between.
WEBHOOKS = 2


def of_web(threads: int) -> int:
    """Those of a web process of so many threads."""
    return min(threads, _OF_WEB)


def of_slots(slots: int) -> int:
    """Those by which a worker process runs so many slices at once."""
    return slots + _BESIDE_SLOTS


def of_workers(*, processes: int, slots: int, senders: int) -> int:
    """Those of so many worker processes, of which `senders` send webhooks, with `slots` in all."""
    return slots + processes * (_BESIDE_SLOTS + HEARTBEAT) + senders * WEBHOOKS
