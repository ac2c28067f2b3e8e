"""What an attack is, what it attacks, and what came of it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.clients.quotas import STREAMS_AT_ONCE, SUBMISSIONS_AT_ONCE, default_quotas, set_quotas
from app.core.settings import Settings
from tests.support.stack import Stack


@dataclass(frozen=True)
class Target:
    """A running stack. `attacker` has credentials like any client; `other` is who must not notice.

    `short`: a tenth of the force, for the gate.
    """

    stack: Stack
    attacker: ClientSecret
    other: ClientSecret
    short: bool = False

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the API."""
        host, port = self.stack.url.removeprefix("http://").split(":")
        return host, int(port)

    def many(self, number: int) -> int:
        """So many, or fewer where it is to be short."""
        return max(1, number // 10) if self.short else number


@dataclass(frozen=True)
class Attack:
    """One thing to try.

    `limit`: what holds it back, in a few words. `under_way`: a context in which the attack goes on;
    what it raises (an AssertionError where it finds something wrong by itself) is a failure.
    `factor`: others' p95 may become so many times what it is without. `seconds`: how long it is
    looked on at least.
    """

    name: str
    limit: str
    under_way: Callable[[Target], AbstractContextManager[None]]
    factor: float = 3.0
    seconds: float = 10.0


@dataclass
class Row:
    """What came of it. Times are seconds, `memory` is bytes."""

    attack: str
    limit: str
    idle: float
    under_attack: float
    memory: int
    wrong: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether nothing was wrong."""
        return not self.wrong


def without_quotas(engine: Engine, settings: Settings, attacker: ClientSecret) -> None:
    """Let no quota hold the attacker back: an attack is to meet the limit that its row names."""
    none = dict.fromkeys((STREAMS_AT_ONCE, SUBMISSIONS_AT_ONCE))
    set_quotas(engine, attacker.client_id, none, default_quotas(settings))


def all_attacks() -> dict[str, Attack]:
    """Every attack, by the name of its module."""
    package = importlib.import_module(__package__ or "tests.attack")
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith(("_", "test_")):
            continue
        attack = getattr(
            importlib.import_module(f"{package.__name__}.{module.name}"), "ATTACK", None
        )
        if attack is not None:
            found[module.name] = attack
    return found
