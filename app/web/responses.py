"""Answers in JSON: exact numbers, and stored JSON passed on as the text it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Response

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(value: Any) -> bytes:
    """JSON of `value`. Decimals are written as numbers, `msgspec.Raw` as it stands."""
    return _encoder.encode(value)


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(encode(value), status, headers, mimetype="application/json")
