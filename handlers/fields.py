"""Marshmallow fields that convert exactly or not at all.

Items come as JSON, whose numbers arrive as `int` and `Decimal`, or as CSV, where everything is
text. A number written as a string is taken where it converts exactly; a boolean is no number, and
neither are NaN and the infinities.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from marshmallow import fields, validate
from marshmallow.exceptions import ValidationError

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_MAX_DIGITS = 60
# Python's own context rounds to 28 digits, and a number that was rounded is another one.
_EXACT = Context(prec=_MAX_DIGITS)
KEY_PART_LENGTH = 200


def exact_decimal(value: object) -> Decimal | None:
    """`value` as a finite Decimal if it is a number or a string that is one exactly, else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        value = str(value)
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _MAX_DIGITS or not _NUMBER.fullmatch(text):
            return None
        try:
            value = Decimal(text)
        except InvalidOperation:
            return None
    if not isinstance(value, Decimal) or not value.is_finite():
        return None
    _, digits, exponent = value.as_tuple()
    if len(digits) > _MAX_DIGITS or abs(int(exponent)) > _MAX_DIGITS:
        return None
    return value


class _Checked(fields.Field[Any]):
    """A field whose one validator is called as it is.

    marshmallow makes an object of a field's validators for each value, of which there may be a
    hundred thousand in a batch.
    """

    def _validate(self, value: Any) -> None:
        if len(self.validators) == 1:
            self.validators[0](value)
        elif self.validators:
            super()._validate(value)


class Number(_Checked, fields.Decimal):
    """An exact decimal number, from a JSON number or a string."""

    default_error_messages = {"invalid": "Must be a number."}  # noqa: RUF012 (marshmallow merges it)

    def __init__(self, *, places: int | None = None, **kwargs: Any) -> None:
        """`places`: the most digits after the point; more are refused rather than rounded."""
        super().__init__(allow_nan=False, **kwargs)
        self.most_places = places

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Decimal:
        number = exact_decimal(value)
        if number is None:
            raise self.make_error("invalid")
        if self.most_places is not None:
            exponent = int(number.normalize(_EXACT).as_tuple().exponent)
            if -exponent > self.most_places:
                raise ValidationError(f"Must have at most {self.most_places} decimal places.")
        return number


class WholeNumber(_Checked, fields.Integer):
    """An integer of at most 64 bits, from a JSON number or a string; 3.0 is 3, 3.5 is refused."""

    default_error_messages = {"invalid": "Must be a whole number."}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            number = exact_decimal(value)
            if number is None or number != number.to_integral_value():
                raise self.make_error("invalid")
            value = int(number)
        if not -(2**63) <= value < 2**63:
            raise ValidationError("Must fit into 64 bits.")
        return int(value)


class Text(_Checked, fields.String):
    """Text of 1 to `longest` characters. A number is not text."""

    default_error_messages = {"invalid": "Must be text."}  # noqa: RUF012

    def __init__(self, *, longest: int = KEY_PART_LENGTH, shortest: int = 1, **kwargs: Any) -> None:
        kwargs.setdefault("validate", validate.Length(min=shortest, max=longest))
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if "\x00" in value:
            raise ValidationError("Must not contain a NUL character.")
        return value


class Reference(Text):
    """A code that names something: text, or a whole number, which is taken as its digits."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if type(value) is int:
            value = str(value)
        return super()._deserialize(value, attr, data, **kwargs)


class Flag(_Checked, fields.Boolean):
    """true or false; from CSV also the words, in any case."""

    default_error_messages = {"invalid": "Must be true or false."}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        raise self.make_error("invalid")


class Timestamp(_Checked, fields.DateTime):
    """An RFC 3339 time, which has an offset or `Z`. Loaded as an aware UTC datetime."""

    default_error_messages = {  # noqa: RUF012
        "invalid": "Must be an RFC 3339 time.",
        "no_offset": "Must be an RFC 3339 time with its offset, such as 2026-01-31T08:00:00Z.",
    }

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or len(value) < 10:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE)
        try:
            # RFC 3339 takes a small z, and a small t, which Python takes too.
            moment = datetime.fromisoformat(value[:-1] + "Z" if value[-1] == "z" else value)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from error
        # Which moment it means is for whoever sends it to say, not for us to guess.
        raise self.make_error("no_offset", input=value, obj_type=self.OBJ_TYPE)
