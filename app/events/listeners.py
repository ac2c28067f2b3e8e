"""What is reported of the work, once it has committed, and who listens.

The domain and the engine report what happened to the process's one listener, and know nothing of
metrics, of those who watch a batch, or of webhooks. Whoever starts the process sets the listener;
until then nothing is done with what is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class SliceFolded:
    """A slice that is over. `seconds`: from its claim to its last outcome.

    `operation`: None where the items name theirs.
    """

    operation: str | None
    phase: str
    size: int
    completed: int
    failed: int
    invalid: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """A batch that has ended.

    `operation`: None where its items name theirs. `seconds`: since its first wave began.
    `webhooks`: the ids of those that now have a delivery to be sent.
    """

    batch_id: UUID
    status: str
    operation: str | None
    seconds: float
    webhooks: tuple[UUID, ...] = ()


class Listener:
    """Hears what happened, after the commit; this one does nothing with it.

    The methods of a subclass never raise, and return at once.
    """

    def outcomes_written(self, batch_id: UUID, operation: str | None, *, retried: int) -> None:
        """A slice wrote its items' outcomes. `retried`: how many are tried again later."""

    def claim_lost(self) -> None:
        """A worker came back to a slice that had been taken from it."""

    def folded(self, batch_id: UUID, slices: Sequence[SliceFolded]) -> None:
        """Slices were counted into their batch. Each is reported once."""

    def wave_written(self, operation: str | None) -> None:
        """A wave is about to be sent."""

    def progressed(self, batch_id: UUID) -> None:
        """A step of a batch's long work was made."""

    def ended(self, end: BatchEnded) -> None:
        """A batch has ended. Reported once each time that it ends."""

    def ended_with(self, end: BatchEnded, slice_: SliceFolded) -> None:
        """A batch has ended with the one slice that it was: `wave_written`, `folded`, `ended`."""

    def swept(self, repairs: dict[str, int]) -> None:
        """The sweep ran. `repairs`: how many of each kind it made."""

    def delivery_due(self) -> None:
        """A webhook delivery is to be sent now. Those of a batch's end `ended` tells of."""

    def webhook_tried(self, outcome: str) -> None:
        """A webhook delivery was tried. `outcome`: a label of `batchline_webhook_tries_total`."""

    def refused(self, numbers: dict[str, int]) -> None:
        """The web server refused so many requests by itself, by kind."""


_listener: Listener = Listener()


def listen_with(listener: Listener) -> None:
    """Report to `listener` from now on, for the whole process."""
    global _listener
    _listener = listener


def listener() -> Listener:
    """The listener of this process."""
    return _listener
