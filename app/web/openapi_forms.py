"""Forms of values in the OpenAPI document that no field of marshmallow's has."""

from __future__ import annotations

from typing import Any

import marshmallow as ma


class WithCommas(ma.fields.Raw):
    """Several values of a query parameter, with commas between them.

    Some generated clients send the parameter several times: these are taken together. The field's
    metadata have the form of the array.
    """

    is_multiple = True  # for webargs, which else gives the first

    def parts_of(self, value: Any) -> list[str]:
        """What stands between commas."""
        return ",".join(map(str, value) if isinstance(value, list) else [str(value)]).split(",")


def style_of_parameter(_: Any, field: ma.fields.Field[Any], **__: Any) -> dict[str, Any]:
    """What else the document says of a query parameter; for apispec's converter."""
    return {"style": "form", "explode": False} if isinstance(field, WithCommas) else {}


def flag_or_words(words: tuple[str, ...]) -> list[dict[str, Any]]:
    """true, false, or one of those words; as generators of clients understand it."""
    return [{"type": "boolean"}, {"type": "string", "enum": [*words]}]
