"""What every format of items is read into."""

from __future__ import annotations

from typing import NamedTuple


# A tuple, since there are millions of them: a frozen dataclass takes three times as long to make.
class RawItem(NamedTuple):
    """An item as it was sent: its JSON text, and the operation if it names one of its own.

    `within`: whether the text is known to be within the bounds of handlers/jsonbounds.py.
    """

    text: str
    operation: str | None = None
    within: bool = False
