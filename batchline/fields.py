"""Marshmallow fields for the schemas of operations, which convert exactly or not at all."""

from __future__ import annotations

from handlers.fields import Flag, Number, Reference, Text, Timestamp, WholeNumber

__all__ = ["Flag", "Number", "Reference", "Text", "Timestamp", "WholeNumber"]
