"""Taking a batch in: the envelope's checks, and one transaction that writes batch and items.

The native API, or a dialect, turns a request into a `Submission` and a stream of `RawItem`s. Items
are not validated here but by the workers, in parallel; only what the engine must know before it
plans is read: each item's operation, and its key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from app.batches import ramp
from app.batches.admission import admit
from app.batches.approval import first_values
from app.batches.batch_view import BatchView
from app.batches.intake import Intake
from app.batches.item_keys import ItemReader, require_operation
from app.batches.phase import first_phase
from app.batches.ramp import Ramp
from app.clients.quotas import Quotas
from app.core import lifecycle
from app.core.correlation import current_request
from app.core.errors import AlreadyExists, FieldError, Invalid
from app.core.ids import new_id
from app.db import transaction
from app.db.clock import has_passed
from app.formats.raw_item import RawItem
from app.operations.known import KnownOperations
from app.operations.undoable import cannot_be_undone
from handlers import Registry

MAX_METADATA_BYTES = 16 * 1024
MAX_NAME_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Submission:
    """One batch as its caller wants it, whatever API it came by.

    All but `start`, `approval`, `ramp`, `own_operations`, `operations` and `quotas` is stored, in
    the columns of these names.

    `max_failure_percent`, `min_processed`: see app.batches.guards. `approval`: whether another key
    has to approve it. `ramp`: the steps that it begins with. `dry_run`: nothing has any effect;
    with `dry_effects`, handlers are called all the same, and what they did is undone.
    `operation`: None where every item names its own. `scheduled_at`: aware.
    `reference`: the id that a dialect gave it, unique for the client and dialect. `request_id`: of
    the request that submits it, for the logs.
    `own_operations`: whether an item that is `{"operation": ..., "data": ...}` names its own; a
    dialect's are all of its one. `operations`: patterns of those that it may be of, as its key
    says; none: any. `quotas`: the client's; None where they are not asked.
    """

    client_id: UUID
    operation: str | None = None
    name: str | None = None
    start: Literal["now", "manual"] = "now"
    scheduled_at: datetime | None = None
    on_invalid: Literal["partial", "reject"] = "partial"
    max_failures: int | None = None
    max_failure_percent: Decimal | None = None
    min_processed: int | None = None
    approval: bool = False
    ramp: Ramp | None = None
    dry_run: bool = False
    dry_effects: bool = False
    metadata: dict[str, Any] | None = None
    dialect: str = lifecycle.NATIVE
    reference: str | None = None
    own_operations: bool = True
    operations: tuple[str, ...] = ()
    quotas: Quotas | None = None
    id: UUID = field(default_factory=new_id)
    request_id: str | None = field(default_factory=current_request)

    @property
    def first_status(self) -> str:
        """The status that the batch begins in."""
        if self.start == "manual":
            return lifecycle.OPEN
        # What needs approval awaits that first, and then its time.
        waits = self.scheduled_at and not self.approval
        return lifecycle.SCHEDULED if waits else lifecycle.PENDING


_NOT_STORED = ("start", "approval", "ramp", "own_operations", "operations", "quotas")
_STORED = tuple(each.name for each in fields(Submission) if each.name not in _NOT_STORED)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was stored: the batch and how many items. `shown`: the batch, where it is known yet."""

    batch_id: UUID
    total: int
    status: str
    shown: BatchView | None = None


def check(submission: Submission, registry: Registry, connection: Connection | None = None) -> None:
    """Raise Invalid where the envelope asks for something that cannot be, or Forbidden: may not.

    `connection`: without one, whether the time that it is scheduled for has passed is not asked.
    """
    errors = []
    if submission.operation is not None:
        require_operation(submission.operations, submission.operation)
    if submission.operation is not None and submission.operation not in registry:
        errors.append(FieldError("/operation", f"Unknown operation {submission.operation!r}."))
    moment = submission.scheduled_at
    if connection is not None and moment is not None and has_passed(connection, moment):
        errors.append(FieldError("/scheduledAt", "Must be in the future."))
    if submission.approval and submission.dry_run:
        errors.append(FieldError("/approval", "A dry run has no effect to be approved."))
    if submission.dry_effects and (refusal := _cannot_be_undone(submission, registry)):
        errors.append(FieldError("/dryRun", refusal))
    if errors:
        raise Invalid(errors[0].message, errors=errors)


def _cannot_be_undone(submission: Submission, registry: Registry) -> str | None:
    operation = registry.get(submission.operation)
    if operation is None or operation.in_database:
        return None
    return cannot_be_undone(operation.name)


def accept(
    engine: Engine, registry: Registry, submission: Submission, items: Iterable[RawItem]
) -> Accepted:
    """Store the batch and its items in one transaction, all or nothing.

    Raises Invalid for an envelope that cannot be, for no items where it should start, and for an
    item without an operation; Forbidden for an operation that its key may not submit; AlreadyExists
    where the reference is taken. The caller sends
    `advance` once this has returned.
    """
    with transaction(engine) as connection:
        return write(connection, registry, submission, items)


def write(
    connection: Connection, registry: Registry, submission: Submission, items: Iterable[RawItem]
) -> Accepted:
    """`accept` inside the caller's transaction."""
    return write_intake(connection, registry, submission, intake_of(registry, submission, items))


def intake_of(registry: Registry, submission: Submission, items: Iterable[RawItem]) -> Intake:
    """The items of the submission, the first of which have been read."""
    return Intake(
        ItemReader(
            registry,
            submission.operation,
            own_operations=submission.own_operations,
            allowed=submission.operations,
        ),
        items,
    )


def write_intake(
    connection: Connection, registry: Registry, submission: Submission, intake: Intake
) -> Accepted:
    """`accept` inside the caller's transaction; where `intake.few`, it may also be in none."""
    check(submission, registry, connection)
    publish(registry)
    if submission.start == "now" and intake.empty:
        raise Invalid(
            "A batch that starts now needs at least one item.",
            errors=[FieldError("/items", "Must not be empty.")],
        )
    begins = submission.start == "now"
    values = {
        **{name: getattr(submission, name) for name in _STORED},
        "status": submission.first_status,
        "phase": first_phase(
            submission.on_invalid,
            dry_run=submission.dry_run,
            dry_effects=submission.dry_effects,
            checked=submission.approval and begins,
        ),
        **first_values(approval=submission.approval, begins=begins),
        **ramp.first_values(submission.ramp, dry_run=submission.dry_run),
        "queue": line_of(registry, submission.operation),
    }
    try:
        total, shown = intake.write(connection, values)
    except IntegrityError as error:
        raise AlreadyExists(
            f"There is a batch with the reference {submission.reference!r} already."
        ) from error
    admit(connection, submission.client_id, submission.quotas, added=total)
    return Accepted(submission.id, total, submission.first_status, shown)


def line_of(registry: Registry, operation: str | None) -> str:
    """The workers that batches of the operation wait for: "fast", or "slow"."""
    known = registry.get(operation)
    return "fast" if known is None else known.queue


def publish(registry: Registry) -> None:
    """Have workers know of what this process takes in, though they may lack the handlers."""
    if isinstance(registry, KnownOperations):
        registry.publish()
