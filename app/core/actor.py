"""Who is behind what this thread does: whoever has to write that down asks here.

A request tells it once its credentials are known (`app.web.auth`). Outside of one, as in commands
and workers, nobody is.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """By which key, and from which address; null where it is not known, or was the command line."""

    key_id: UUID | None = None
    key_name: str | None = None
    address: str | None = None


NOBODY = Actor()
_current: ContextVar[Actor] = ContextVar("actor", default=NOBODY)


def begin(actor: Actor) -> None:
    """From now on this thread acts for `actor`."""
    _current.set(actor)


def end() -> None:
    """From now on this thread acts for nobody."""
    _current.set(NOBODY)


def current_actor() -> Actor:
    """For whom this thread acts."""
    return _current.get()
