"""Which tries count, and how many an item has.

A try counts once a handler was called for the item and said anything but `Defer`: success,
failure, `Retry`, `Reject`, a time limit, or the death of its worker, which is a try in vain like
any other. Not counted is what says nothing about the item: a deferral, a schema that refused it
before its handler saw it, a slice that was given back or left the item to others, a transaction
that was lost and is run again.
"""

from __future__ import annotations

from handlers import Operation

COUNTED = 1
"""What a try adds to an item's `attempts`."""

NOT_COUNTED = 0


def may_try_again(operation: Operation, attempt: int) -> bool:
    """Whether there may be another try after number `attempt`, the first being 1."""
    return attempt < operation.max_attempts
