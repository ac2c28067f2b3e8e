"""What a web process has one of each: made by `app.server.wsgi`, found by `services()`."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app
from redis import Redis
from sqlalchemy import Engine

from app.clients.recent_callers import RecentCallers
from app.core.settings import Settings
from app.formats import SpoolBudget
from app.messaging.dispatch import Dispatcher
from app.operations.known import KnownOperations
from app.web.places import Places
from app.web.rates import Rates

EXTENSION = "batchline"


@dataclass(frozen=True, slots=True)
class Services:
    """The settings, the connections and the operations, shared by all threads of the process.

    `registry`: the process's own operations, and those that only others have. `rates`,
    `submissions`, `streams`: what clients with such quotas take of them. `spools`: the room on
    disk for bodies.
    """

    settings: Settings
    engine: Engine
    dispatcher: Dispatcher
    registry: KnownOperations
    redis: Redis
    callers: RecentCallers
    rates: Rates
    submissions: Places
    streams: Places
    spools: SpoolBudget


def services() -> Services:
    """The services of the application that answers the current request."""
    found: Services = current_app.extensions[EXTENSION]
    return found
