"""Items of a batch that a caller chooses: by their indexes, or by what is so with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.lifecycle import CANCELED, FAILED, INVALID

UNSUCCESSFUL = (FAILED, INVALID, CANCELED)
MOST_INDEXES = 10_000
"""Of one action."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Those items for which all holds that is said. `statuses`: any of these; none for all."""

    statuses: tuple[str, ...] = ()
    failure: str | None = None
    code: int | None = None
    key: str | None = None
    indexes: tuple[int, ...] | None = None

    def given(self) -> dict[str, Any]:
        """What is said, by the names that statements have for it. It can be written as JSON."""
        asked = {
            "statuses": list(self.statuses) or None,
            "failure": self.failure,
            "code": self.code,
            "key": self.key,
            "indexes": None if self.indexes is None else list(self.indexes),
        }
        return {name: value for name, value in asked.items() if value is not None}

    def told(self) -> Mapping[str, Any]:
        """The same for the audit: of indexes, how many, since there may be thousands."""
        said = self.given()
        if self.indexes is not None:
            said["indexes"] = len(self.indexes)
        return said
