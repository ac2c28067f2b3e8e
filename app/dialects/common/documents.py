"""The OpenAPI document's part on bodies that are read to the letter, not by their schema."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.web.idempotency import IDEMPOTENCY_KEY

Schema = type[ma.Schema] | dict[str, Any]


def takes(schema: Schema, example: Any = None) -> dict[str, Any]:
    """For `blueprint.doc`: a body of that schema, to be carried out once if it has a key."""
    return {"requestBody": json_body(schema, example), "parameters": [IDEMPOTENCY_KEY]}


def json_body(schema: Schema, example: Any = None) -> dict[str, Any]:
    """A requestBody of that schema."""
    content: dict[str, Any] = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {"required": True, "content": {"application/json": content}}


def array_of(schema: Schema, *, most: int | None = None) -> dict[str, Any]:
    """The schema of an array of 1 to `most` entries."""
    found: dict[str, Any] = {"type": "array", "items": schema, "minItems": 1}
    return found if most is None else {**found, "maxItems": most}
