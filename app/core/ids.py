"""Identifiers: UUIDv7, which sort by the time they were made."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import uuid_utils.compat

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 2**48 - 1


def new_id() -> UUID:
    """A new UUIDv7."""
    return uuid_utils.compat.uuid7()


def earliest_id(moment: datetime, milliseconds: int = 0) -> UUID:
    """What no UUIDv7 of `moment` (aware), or of so many milliseconds after it, is below."""
    since = (moment - _EPOCH) // timedelta(milliseconds=1) + milliseconds
    return UUID(int=min(max(since, 0), _LAST) << 80)
