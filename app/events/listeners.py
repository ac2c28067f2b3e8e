"""What there is to tell of the work, once it has committed.

The domain and the engine say what happened; who listens (metrics, those who watch a batch, the
sender of webhooks) is set by whoever starts the process. NoListener does by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class SliceFolded:
    """A slice that is over. `seconds`: from its claim to its last outcome."""

    operation: str | None
    phase: str
    size: int
    completed: int
    failed: int
    invalid: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """A batch that has ended. `operation`: None where its items name theirs. `seconds`: since its
    first wave began. `webhooks`: those that something is to be sent to now.
    """

    batch_id: UUID
    status: str
    operation: str | None
    seconds: float
    webhooks: tuple[UUID, ...] = ()


class Listener(Protocol):
    """Is told, after the commit. Never raises, and holds nobody up."""

    def outcomes_written(self, batch_id: UUID, operation: str | None, *, retried: int) -> None:
        """A slice wrote what became of its items. `retried`: those that are tried again later."""

    def claim_lost(self) -> None:
        """A worker came back to a slice that was somebody else's by then."""

    def folded(self, batch_id: UUID, slices: Sequence[SliceFolded]) -> None:
        """Slices were counted into their batch: each is told once."""

    def wave_written(self, operation: str | None) -> None:
        """A wave is about to be sent."""

    def ended(self, end: BatchEnded) -> None:
        """A batch has ended: told once an end."""

    def swept(self, repairs: dict[str, int]) -> None:
        """The sweep ran; how many repairs of each kind."""

    def webhook_tried(self, outcome: str) -> None:
        """A webhook delivery was tried."""


class NoListener:
    """Is told, and does nothing with it."""

    def outcomes_written(self, batch_id: UUID, operation: str | None, *, retried: int) -> None:
        """Nothing."""

    def claim_lost(self) -> None:
        """Nothing."""

    def folded(self, batch_id: UUID, slices: Sequence[SliceFolded]) -> None:
        """Nothing."""

    def wave_written(self, operation: str | None) -> None:
        """Nothing."""

    def ended(self, end: BatchEnded) -> None:
        """Nothing."""

    def swept(self, repairs: dict[str, int]) -> None:
        """Nothing."""

    def webhook_tried(self, outcome: str) -> None:
        """Nothing."""


_teller: Listener = NoListener()


def listen_with(listener: Listener) -> None:
    """Let `listener` be told from now on, for the whole process."""
    global _teller
    _teller = listener


def listener() -> Listener:
    """Who is told."""
    return _teller
