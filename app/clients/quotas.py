"""Quotas: how much of what is shared a client may take, by names that the API and commands use.

A client has those that were set for it, and for the others the defaults of the settings. None is
unlimited.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

from app.audit.recording import record
from app.core.errors import FieldError, Invalid, NotFound
from app.core.jsontext import dumps
from app.core.settings import Settings
from app.db import read, transaction
from app.db.statements.quotas import LOCK_QUOTAS, SELECT_QUOTAS, SET_QUOTAS

REQUESTS_PER_SECOND = "requestsPerSecond"
SUBMISSIONS_AT_ONCE = "submissionsAtOnce"
OPEN_BATCHES = "openBatches"
PENDING_ITEMS = "pendingItems"
STORED_ITEMS = "storedItems"
STREAMS_AT_ONCE = "streamsAtOnce"
WEBHOOKS = "webhooks"
QUOTAS = (
    REQUESTS_PER_SECOND,
    SUBMISSIONS_AT_ONCE,
    OPEN_BATCHES,
    PENDING_ITEMS,
    STORED_ITEMS,
    STREAMS_AT_ONCE,
    WEBHOOKS,
)
COUNTED = (OPEN_BATCHES, PENDING_ITEMS, STORED_ITEMS)
"""Those that the rows are counted for, in the transaction that adds to them."""
LARGEST = 2**53 - 1
UNLIMITED = "none"
BY_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Quotas(Mapping[str, int | None]):
    """A client's quotas by name, all of them.

    `own`: those that were set for it, the others are `defaults`. `client_id`: whose they are.
    """

    defaults: Mapping[str, int | None] = field(default_factory=dict)
    own: Mapping[str, int | None] = field(default_factory=dict)
    client_id: UUID | None = None

    def __getitem__(self, name: str) -> int | None:
        if name not in QUOTAS:
            raise KeyError(name)
        return self.own[name] if name in self.own else self.defaults.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(QUOTAS)

    def __len__(self) -> int:
        return len(QUOTAS)

    @property
    def any_counted(self) -> bool:
        """Whether what is stored of the client has to be counted."""
        return any(self[name] is not None for name in COUNTED)

    def of(self, client_id: UUID, own: Mapping[str, int | None]) -> Quotas:
        """A client's, with the same defaults."""
        return replace(self, client_id=client_id, own=own)


NO_QUOTAS = Quotas()


def default_quotas(settings: Settings) -> Quotas:
    """Those of a client for which none was set."""
    return Quotas(
        {
            REQUESTS_PER_SECOND: settings.quota_requests_per_second,
            SUBMISSIONS_AT_ONCE: settings.quota_submissions_at_once,
            OPEN_BATCHES: settings.quota_open_batches,
            PENDING_ITEMS: settings.quota_pending_items,
            STORED_ITEMS: settings.quota_stored_items,
            STREAMS_AT_ONCE: settings.quota_streams_at_once,
            WEBHOOKS: settings.quota_webhooks,
        }
    )


def find_quotas(connection: Connection, client_id: UUID, defaults: Quotas) -> Quotas:
    """The client's, as they are in this moment. Raises NotFound."""
    own = connection.execute(SELECT_QUOTAS, {"client_id": client_id}).scalar_one_or_none()
    if own is None:
        raise NotFound(f"There is no client {client_id}.")
    return defaults.of(client_id, own)


def lock_quotas(connection: Connection, client_id: UUID, defaults: Quotas) -> Quotas:
    """`find_quotas`, locked until the end of the transaction, which is to be soon.

    Whoever adds something that is counted counts under this lock, so that several at once cannot
    have more together than is left. Raises NotFound.
    """
    row = connection.execute(LOCK_QUOTAS, {"client_id": client_id}).one_or_none()
    if row is None:
        raise NotFound(f"There is no active client {client_id}.")
    return defaults.of(client_id, row.quotas)


def get_quotas(engine: Engine, client_id: UUID, defaults: Quotas) -> Quotas:
    """`find_quotas` over a connection of its own."""
    return read(engine, lambda connection: find_quotas(connection, client_id, defaults))


def set_quotas(
    engine: Engine, client_id: UUID, changes: Mapping[str, Any], defaults: Quotas
) -> Quotas:
    """Set some of the client's quotas; all that it has then. Processes know within a second.

    `changes`: by name a whole number, `none` or None for unlimited, or `default`: not set. Raises
    Invalid naming each that cannot be, and NotFound.
    """
    checked = _checked(changes)
    with transaction(engine) as connection:
        row = connection.execute(LOCK_QUOTAS, {"client_id": client_id}).one_or_none()
        if row is None:
            raise NotFound(f"There is no active client {client_id}.")
        own = {name: value for name, value in row.quotas.items() if name not in checked}
        own |= {name: value for name, value in checked.items() if value != BY_DEFAULT}
        if own != row.quotas:
            connection.execute(SET_QUOTAS, {"client_id": client_id, "quotas": dumps(own)})
            record(connection, "quota.set", client_id=client_id, detail={"quotas": checked})
    return defaults.of(client_id, own)


def _checked(changes: Mapping[str, Any]) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    errors = []
    for name, value in changes.items():
        least = 1 if name == REQUESTS_PER_SECOND else 0
        if name not in QUOTAS:
            pointer = "/" + name.replace("~", "~0").replace("/", "~1")
            errors.append(FieldError(pointer, f"No quota; there are {', '.join(QUOTAS)}."))
        elif value is None or value == UNLIMITED:
            checked[name] = None
        elif value == BY_DEFAULT:
            checked[name] = BY_DEFAULT
        elif type(value) is int and least <= value <= LARGEST:
            checked[name] = value
        else:
            said = f"Must be a whole number from {least} on, {UNLIMITED} or {BY_DEFAULT}."
            errors.append(FieldError(f"/{name}", said))
    if errors:
        named = errors[0].pointer.lstrip("/")
        raise Invalid(f"{named}: {errors[0].message}", errors=errors)
    return checked
