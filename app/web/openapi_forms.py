"""Forms of values in the OpenAPI document that no field of marshmallow's has."""

from __future__ import annotations

from typing import Any


def flag_or_words(words: tuple[str, ...]) -> list[dict[str, Any]]:
    """true, false, or one of those words; as generators of clients understand it."""
    return [{"type": "boolean"}, {"type": "string", "enum": [*words]}]
