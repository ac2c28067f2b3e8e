"""How many items there may be, and how large one, with the errors that say so."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.computing import breathe
from app.core.errors import FieldError, Malformed, TooLarge

MOST_BLANK_LINES = 2_000_000
"""Of a body. A spreadsheet has 1,048,576 rows, and may write all of them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`items`: most of them in a request. `item_bytes`: of an item's JSON.

    `all_bytes`: of all of them together, where they may be more than the body is; None: any.
    """

    items: int
    item_bytes: int
    all_bytes: int | None = None

    def check_count(self, index: int) -> None:
        """Raise TooLarge if there may not be an item `index`."""
        if index >= self.items:
            raise TooLarge(
                f"Item {index} is one too many: at most {self.items} are taken.",
                errors=[FieldError(f"/items/{index}", f"At most {self.items} items are taken.")],
            )

    def check_size(self, index: int, size: int) -> None:
        """Raise TooLarge if item `index` may not be `size` bytes long."""
        if size > self.item_bytes:
            raise TooLarge(
                f"Item {index} is too large: at most {self.item_bytes} bytes are taken.",
                errors=[FieldError(f"/items/{index}", f"Must be at most {self.item_bytes} bytes.")],
            )

    def check_all(self, index: int, size: int) -> None:
        """Raise TooLarge if the items up to `index` may not have `size` bytes together."""
        if self.all_bytes is not None and size > self.all_bytes:
            message = f"With it the items have more than {self.all_bytes} bytes."
            raise TooLarge(
                f"Item {index}: {message}", errors=[FieldError(f"/items/{index}", message)]
            )


class BlankLines:
    """Counts the lines of a body that are passed over, and says where it has too many of them."""

    def __init__(self) -> None:
        self._count = 0

    def pass_over(self, number: int) -> None:
        """Line `number` is one. Raises TooLarge for one too many. Others may compute meanwhile."""
        breathe()
        self._count += 1
        if self._count > MOST_BLANK_LINES:
            raise TooLarge(f"Line {number}: More than {MOST_BLANK_LINES:,} lines are blank.")


def bad_line(number: int, index: int, message: str) -> Malformed:
    """The error for line `number` (from 1), on which item `index` would be."""
    return Malformed(f"Line {number}: {message}", errors=[FieldError(f"/items/{index}", message)])


def not_json(error: Exception) -> str:
    """What msgspec's error about some text says, in our words."""
    return f"Not JSON: {str(error).removeprefix('JSON is malformed: ')}."
