"""The state machines, drawn once. Postgres enforces what stands here (see app/db/models).

A batch: OPEN and SCHEDULED wait for their caller or their time; AWAITING waits for somebody's
approval; PENDING waits for the engine; RUNNING and PAUSED are under way; SUCCESS, PARTIAL, FAILED
and CANCELED have ended.

An item row holds PENDING or how it ended. RUNNING is not written to the row: an item is RUNNING
while a claimed slice holds it (docs/states.md says why).
"""

from __future__ import annotations

OPEN = "OPEN"
SCHEDULED = "SCHEDULED"
AWAITING = "AWAITING"
PENDING = "PENDING"
RUNNING = "RUNNING"
PAUSED = "PAUSED"
SUCCESS = "SUCCESS"
PARTIAL = "PARTIAL"
FAILED = "FAILED"
CANCELED = "CANCELED"
INVALID = "INVALID"

BATCH_ENDED = (SUCCESS, PARTIAL, FAILED, CANCELED)
NOT_ALL_WELL = (PARTIAL, FAILED, CANCELED)
"""The ends that are not SUCCESS, which lists of batches find by an index."""
BATCH_UNENDED = (OPEN, SCHEDULED, AWAITING, PENDING, RUNNING, PAUSED)
BATCH_STATUSES = (*BATCH_UNENDED, *BATCH_ENDED)
NATIVE = "native"
"""The `dialect` of a batch that came by none."""
BATCH_MOVES: dict[str, tuple[str, ...]] = {
    OPEN: (SCHEDULED, PENDING, CANCELED),
    SCHEDULED: (OPEN, PENDING, CANCELED),
    AWAITING: (SCHEDULED, PENDING, *BATCH_ENDED),
    PENDING: (RUNNING, PAUSED, *BATCH_ENDED),
    RUNNING: (AWAITING, PAUSED, *BATCH_ENDED),
    PAUSED: (RUNNING, PENDING, *BATCH_ENDED),
    # An ended batch moves again only by its caller's retry or reset.
    SUCCESS: (PENDING, OPEN),
    PARTIAL: (PENDING, OPEN),
    FAILED: (PENDING, OPEN),
    CANCELED: (PENDING, OPEN),
}

ITEM_ENDED = (SUCCESS, INVALID, FAILED, CANCELED)
ITEM_STATUSES = (PENDING, *ITEM_ENDED)
ITEM_MOVES: dict[str, tuple[str, ...]] = {
    PENDING: ITEM_ENDED,
    SUCCESS: (),
    INVALID: (PENDING,),
    FAILED: (PENDING,),
    CANCELED: (PENDING,),
}
# What callers may ask for: the derived RUNNING included.
ITEM_STATUSES_SHOWN = (PENDING, RUNNING, *ITEM_ENDED)

BREAKER_CLOSED = "closed"
BREAKER_OPEN = "open"
BREAKER_PROBING = "probing"
BREAKER_STATUSES = (BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING)
BREAKER_MOVES: dict[str, tuple[str, ...]] = {
    BREAKER_CLOSED: (BREAKER_OPEN,),
    BREAKER_OPEN: (BREAKER_PROBING, BREAKER_CLOSED),
    BREAKER_PROBING: (BREAKER_OPEN, BREAKER_CLOSED),
}

SLICE_READY = "READY"
SLICE_CLAIMED = "CLAIMED"
SLICE_DONE = "DONE"
SLICE_STATES = (SLICE_READY, SLICE_CLAIMED, SLICE_DONE)

# What may take longer than a step, and is done in many: `doing` of a batch. The first four are a
# caller's actions, which callers see; the fifth, which they see as `cancel`, leaves the batch as it
# is.
CANCEL = "cancel"
RETRY = "retry"
RESET = "reset"
DELETE = "delete"
LONG_ACTIONS = (CANCEL, RETRY, RESET, DELETE)
CANCEL_ITEMS = "cancel_items"
CALLERS_WORK = (*LONG_ACTIONS, CANCEL_ITEMS)
# The engine's own, before a large batch begins: which keys are repeated, and their lanes.
FIND_KEYS = "keys"
MARK_LANES = "lanes"
LONG_WORK = (*CALLERS_WORK, FIND_KEYS, MARK_LANES)

STOP_CANCELED = "canceled"
STOP_MAX_FAILURES = "max_failures"
STOP_MAX_FAILURE_PERCENT = "max_failure_percent"
STOP_REJECTED = "rejected"
STOP_REASONS = (STOP_CANCELED, STOP_MAX_FAILURES, STOP_MAX_FAILURE_PERCENT, STOP_REJECTED)
# Not an end: a step of its ramp failed too much, and it is PAUSED.
HELD_BY_RAMP = "ramp"
# Those by which a batch ends CANCELED: somebody wanted it so.
STOPPED_BY_CALLER = (STOP_CANCELED, STOP_REJECTED)

# `approval` of a batch that may not run without one; null for all others. NEEDED: nobody has given
# it. CHECKING: its items are being looked at first. GIVEN: it may run.
APPROVAL_NEEDED = "needed"
APPROVAL_CHECKING = "checking"
APPROVAL_GIVEN = "given"
APPROVALS = (APPROVAL_NEEDED, APPROVAL_CHECKING, APPROVAL_GIVEN)


def settled_status(
    *, total: int, completed: int, canceled: int = 0, canceled_by_caller: bool
) -> str:
    """How a batch ends whose items have all ended."""
    if canceled_by_caller or (total and canceled == total):
        return CANCELED
    if completed == total:
        return SUCCESS
    return PARTIAL if completed else FAILED
