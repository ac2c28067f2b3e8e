"""One batch that is watched: when it is looked at next, and what those who follow it see."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from app.batches.batch_view import BatchView

# Seconds between two looks at one batch: the least, however often it is notified, and the most.
# For callers that only wait for its end, and for those that follow its progress.
_SOONEST = 0.01
_LATEST = 0.25
_FOLLOWED_SOONEST = 0.25
_FOLLOWED_LATEST = 1.0
# The same for those who only wait while notifications are heard. An end is told as such, so that a
# change is worth a look only because the release before tells its ends so, too.
_HEARING_SOONEST = 0.1
_HEARING_LATEST = 1.0


@dataclass(slots=True)
class WatchedBatch:
    """How many callers wait for the batch's end (`waiting`) or follow its progress (`following`).

    Times are monotonic. `view` is the latest, if it is followed; `ended` and `gone` are final.
    `ends` counts how often it was told that it has ended. `changed` is notified of all these; its
    lock guards every field.
    """

    changed: threading.Condition
    since: float
    look_at: float = 0.0
    looked: float = field(init=False)
    noted: float = 0.0
    waiting: int = 0
    following: int = 0
    view: BatchView | None = None
    ended: bool = False
    ends: int = 0
    gone: bool = False

    def __post_init__(self) -> None:
        self.looked = self.since
        self.look_at = self.since + _SOONEST

    @property
    def soonest_look(self) -> float:
        """When it may be looked at again, if there is news of it."""
        return self.looked + (_FOLLOWED_SOONEST if self.following else _HEARING_SOONEST)

    def next_look(self, now: float, *, hearing: bool) -> float:
        """When to look again if there is no news of it. `hearing`: whether news would come."""
        waited = (now - self.since) / 10
        if self.waiting and hearing and not self.following:
            return now + _HEARING_LATEST
        if self.waiting:
            return now + min(_LATEST, max(_SOONEST, waited))
        return now + min(_FOLLOWED_LATEST, max(_FOLLOWED_SOONEST, waited))

    def show(self, view: BatchView | None, now: float) -> None:
        """Show `view` to the followers, at most once in _FOLLOWED_SOONEST; None: it is gone."""
        self.gone = view is None
        self.ended = view is None or view.ended
        if view == self.view or (not self.ended and now - self.noted < _FOLLOWED_SOONEST):
            return
        self.view, self.noted = view, now
        self.changed.notify_all()


class Following:
    """What one follower sees of a batch."""

    def __init__(
        self, watch: WatchedBatch, lock: threading.Lock, alive: Callable[[], bool]
    ) -> None:
        self._watch = watch
        self._lock = lock
        self._alive = alive
        self._seen: BatchView | None = None

    @property
    def over(self) -> bool:
        """Whether there is nothing more to see: the batch is gone, or the process stops."""
        return self._watch.gone or not self._alive()

    def next(self, seconds: float) -> BatchView | None:
        """The batch as soon as it differs from the one seen last; None after `seconds`."""
        watch = self._watch
        with self._lock:
            watch.changed.wait_for(lambda: watch.view is not self._seen or self.over, seconds)
            if watch.view is self._seen:
                return None
            self._seen = watch.view
            return watch.view
