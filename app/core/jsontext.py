"""JSON in and out, exactly: numbers with a point become Decimal, and Decimals become numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from handlers.jsonbounds import flaw_of

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
# Reads JSON without making anything of it.
_reader = msgspec.json.Decoder(msgspec.Raw)
_encode, _read = _encoder.encode, _reader.decode


def loads(text: bytes | str) -> Any:
    """Parse JSON. Raises msgspec.DecodeError, or RecursionError where it nests too deep."""
    return _decoder.decode(text)


def dumps(value: Any) -> str:
    """JSON text of `value`; aware datetimes are written in UTC with `Z`."""
    return _encoder.encode(value).decode()


def dumps_strictly(value: Any) -> str:
    """What `dumps` gives, known to be JSON: a Decimal may be no number, or stand as a key.

    Raises ValueError (msgspec.DecodeError is one), TypeError, OverflowError or RecursionError where
    `value` is none, or beyond the bounds of handlers/jsonbounds.py.
    """
    encoded = _encode(value)
    _read(encoded)
    flaw = flaw_of(encoded)
    if flaw is not None:
        raise ValueError(flaw)
    return encoded.decode()


def moment(value: datetime | None) -> str | None:
    """An aware datetime as RFC 3339 in UTC with milliseconds and `Z`; None stays None."""
    if value is None:
        return None
    # What the database says is in UTC already; and this is done three times an item.
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat("T", "milliseconds")[:-6] + "Z"
