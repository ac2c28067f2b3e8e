"""How a test tells worker processes to fail at one moment, and how it learns that they did.

Both sides share a folder: `armed` holds the one fault that is armed, `events` a line of JSON for
each thing that happened in a worker. Appending is atomic, and outlives the process that dies next.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID


class Moment(StrEnum):
    """What goes wrong when, in the life of a batch's wave."""

    CHILD_DIES_BEFORE_COUNTING = "a child dies when its slice is done, before its part is counted"
    WORKER_DIES_BEFORE_COUNTING = "a worker dies when a slice is done, before its part is counted"
    COUNTING_FAILS = "Redis fails before it has counted a part"
    LAST_ANSWER_LOST = "Redis has counted the last part, and its answer is lost"
    CLAIMER_DIES = "a child dies that has just been given the callback to publish"
    PUBLISHER_DIES = "a child dies as it publishes the callback"
    PRODUCER_DIES_MIDWAY = "a worker dies with half of the wave published"
    PRODUCER_DIES_AT_LAST = "a worker dies with all but the last of the wave published"
    FLUSHED_MIDWAY = "Redis is flushed when some parts are counted and some are not"
    KEYS_EXPIRE_MIDWAY = "the chord's keys expire when some parts are counted and some are not"
    TAKEN_AND_DIES = "a worker dies with a message that is in no list any more"
    EARLY_ACK = "a message is acknowledged as soon as its task begins"
    GIVEN_OUT_AGAIN = "a message is given out again while its task still runs"


@dataclass(frozen=True)
class Arms:
    """The shared folder. Times are seconds since the epoch."""

    folder: Path

    def arm(self, moment: Moment, batch_id: UUID, *, once: bool = True, **seen: Any) -> None:
        """Let whoever comes to that moment of that batch fail: the first only, if `once`.

        `seen`: what else must be so, as the moment tells it.
        """
        armed = {"moment": moment, "batch": str(batch_id), "once": once, "seen": seen}
        draft = self.folder / "armed.draft"
        draft.write_text(json.dumps(armed))
        draft.replace(self.folder / "armed")

    def disarm(self) -> None:
        """Let nothing fail from now on."""
        (self.folder / "armed").unlink(missing_ok=True)

    def strikes(self, moment: Moment, batch_id: str | None, **seen: Any) -> bool:
        """Whether to fail now. Notes it, so that the test can tell."""
        try:
            armed = json.loads((self.folder / "armed").read_text())
        except FileNotFoundError:
            return False
        if (armed["moment"], armed["batch"]) != (moment, batch_id):
            return False
        if any(seen.get(name) != value for name, value in armed["seen"].items()):
            return False
        if armed["once"]:
            try:
                (self.folder / "armed").rename(self.folder / f"taken-{os.getpid()}")
            except FileNotFoundError:
                return False  # another process was quicker
        self.note("struck", batch_id, moment=moment, **seen)
        return True

    def note(self, event: str, batch_id: str | None, **facts: Any) -> None:
        """Append what happened, with the process and the time."""
        line = {"event": event, "batch": batch_id, "pid": os.getpid(), "at": time.time(), **facts}
        with (self.folder / "events").open("ab", buffering=0) as events:
            events.write(json.dumps(line).encode() + b"\n")

    def events(self, event: str, batch_id: UUID, **facts: Any) -> list[dict[str, Any]]:
        """What was noted of the batch, oldest first."""
        wanted = {"event": event, "batch": str(batch_id), **facts}
        path = self.folder / "events"
        lines = path.read_text().splitlines() if path.exists() else []
        return [one for one in map(json.loads, lines) if wanted.items() <= one.items()]
