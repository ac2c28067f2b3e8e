"""What a submission says beside its items: in a JSON body, or as query parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import marshmallow as ma
import msgspec
from werkzeug.datastructures import MultiDict

from app.batches.copying import storable
from app.batches.ramp import AUTO, HOLDS, MOST_ITEMS, MOST_STEPS, Ramp
from app.batches.submission import MAX_METADATA_BYTES, MAX_NAME_LENGTH, Submission
from app.core.errors import FieldError, Invalid
from app.core.jsontext import dumps, loads
from app.web.bounded_fields import Listed, Nested
from app.web.openapi_forms import flag_or_words
from app.web.problems import loaded, pointer_to
from app.web.submissions import submission_by_caller
from handlers.fields import Timestamp, exact_decimal
from handlers.jsonbounds import flaw_of

EFFECTS = "effects"
"""The dry run that calls handlers."""


class Flag(ma.fields.Boolean):
    """true or false, and no other value that might mean them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class DryRun(ma.fields.Raw):
    """true, false or "effects"."""

    default_error_messages = {"invalid": 'Must be true, false or "effects".'}  # noqa: RUF012 (marshmallow merges it)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool) and value != EFFECTS:
            raise self.make_error("invalid", input=value)
        return value


class Name(ma.fields.String):
    """Text that can be stored."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        name = str(super()._deserialize(value, attr, data, **kwargs))
        if not storable(name):
            raise ma.ValidationError("Must not contain a NUL character.")
        return name


class Percent(ma.fields.Float):
    """A number from 0 to 100, with a fraction or without, kept exactly. No string is one."""

    default_error_messages = {"invalid": "Must be a number."}  # noqa: RUF012 (marshmallow merges it)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        number = None if isinstance(value, str) else exact_decimal(value)
        if number is None:
            raise self.make_error("invalid", input=value)
        return number


class Metadata(ma.fields.Dict):
    """Any object of at most 16 KiB."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ma.ValidationError("Must be an object.")
        if len(dumps(value).encode()) > MAX_METADATA_BYTES:
            raise ma.ValidationError(f"Must be at most {MAX_METADATA_BYTES} bytes of JSON.")
        return value


class NewRampSchema(ma.Schema):
    """The steps that a batch is to begin with."""

    class Meta:
        unknown = ma.RAISE

    steps = Listed(
        ma.fields.Integer(strict=True, validate=ma.validate.Range(min=1, max=MOST_ITEMS)),
        required=True,
        validate=ma.validate.Length(min=1, max=MOST_STEPS),
        metadata={"description": "How many items each step has, in their order; then the rest."},
    )
    hold = ma.fields.String(
        load_default=AUTO,
        validate=ma.validate.OneOf(HOLDS),
        metadata={"description": "`approve`: it is PAUSED after each step."},
    )
    maxFailurePercent = Percent(
        attribute="max_failure_percent",
        load_default=Decimal(0),
        validate=ma.validate.Range(min=0, max=100),
        metadata={
            "description": "A larger share of a step's items FAILED or INVALID pauses it, whatever "
            "`hold` says."
        },
    )

    @ma.validates("steps")
    def _no_more_than_there_can_be(self, steps: list[int], **_: Any) -> None:
        if sum(steps) > MOST_ITEMS:
            raise ma.ValidationError(f"Must be at most {MOST_ITEMS} together.")

    @ma.post_load
    def _ramp(self, fields: dict[str, Any], **_: Any) -> Ramp:
        return Ramp(**{**fields, "steps": tuple(fields["steps"])})


class ChangesSchema(ma.Schema):
    """What of a batch can be changed later.

    Loaded, every field here and below is called as the attribute of `Submission` that it becomes.
    """

    class Meta:
        unknown = ma.RAISE

    name = Name(
        allow_none=True,
        validate=ma.validate.Length(max=MAX_NAME_LENGTH),
        metadata={"description": "For people to read."},
    )
    metadata = Metadata(
        allow_none=True, metadata={"description": "Any object of at most 16 KiB, kept as it is."}
    )
    scheduledAt = Timestamp(
        attribute="scheduled_at",
        allow_none=True,
        metadata={"description": "A time in the future: the batch is SCHEDULED until then."},
    )


class EnvelopeSchema(ChangesSchema):
    """What a submission says beside its items."""

    operation = Name(
        allow_none=True,
        metadata={
            "description": "What is to be done with the items; may be left out if every item "
            "names its own.",
            "example": "catalog.masterlist",
        },
    )
    start = ma.fields.String(
        load_default="now",
        validate=ma.validate.OneOf(["now", "manual"]),
        metadata={"description": "`manual`: the batch stays OPEN and takes more items."},
    )
    onInvalid = ma.fields.String(
        attribute="on_invalid",
        load_default="partial",
        validate=ma.validate.OneOf(["partial", "reject"]),
        metadata={"description": "`reject`: nothing runs if any item is invalid."},
    )
    maxFailures = ma.fields.Integer(
        attribute="max_failures",
        allow_none=True,
        strict=True,
        validate=ma.validate.Range(min=0, max=2**31 - 1),
        metadata={"description": "More FAILED and INVALID items than this cancel the rest."},
    )
    maxFailurePercent = Percent(
        attribute="max_failure_percent",
        allow_none=True,
        validate=ma.validate.Range(min=0, max=100),
        metadata={
            "description": "A larger share of the processed items FAILED or INVALID cancels the "
            "rest, once `minProcessed` are processed."
        },
    )
    minProcessed = ma.fields.Integer(
        attribute="min_processed",
        allow_none=True,
        strict=True,
        validate=ma.validate.Range(min=0, max=2**31 - 1),
        metadata={"description": "For `maxFailurePercent`: 100 unless said."},
    )
    ramp = Nested(
        NewRampSchema,
        allow_none=True,
        metadata={
            "description": "It begins with a few items, and goes on if not too many of them fail."
        },
    )
    approval = Flag(
        load_default=False,
        metadata={
            "description": "Every item is validated, then the batch is AWAITING until another key "
            "approves it."
        },
    )
    dryRun = DryRun(
        attribute="dry_run",
        load_default=False,
        metadata={
            "description": "`true`: validate only, without any effect. `effects`: run the "
            "handlers, keep what they answer, and undo what they did; for operations whose "
            "effects are in the server's database.",
            "oneOf": flag_or_words((EFFECTS,)),
        },
    )

    @ma.post_load
    def _with_effects(self, fields: dict[str, Any], **_: Any) -> dict[str, Any]:
        effects = fields["dry_run"] == EFFECTS
        return {**fields, "dry_run": bool(fields["dry_run"]), "dry_effects": effects}


_SCHEMA = EnvelopeSchema()
FIELDS = tuple(_SCHEMA.fields)
_CHANGES = ChangesSchema()


def fields_in_query(query: MultiDict[str, str]) -> dict[str, Any]:
    """The fields of a submission as query parameters, in the types that they have in JSON.

    Raises Invalid for one that stands more than once, or whose text is not what it should be.
    """
    errors = [
        FieldError(pointer_to(name), "Stands more than once.")
        for name, values in query.lists()
        if len(values) > 1
    ]
    fields: dict[str, Any] = {}
    for name, text in query.items():
        read, expected = _TEXTS.get(type(_SCHEMA.fields.get(name)), (str, ""))
        try:
            fields[name] = read(text)
        except ValueError as error:
            errors.append(FieldError(pointer_to(name), str(error) or expected))
    if errors:
        raise Invalid(f"{errors[0].pointer[1:]}: {errors[0].message}", errors=errors)
    return fields


def submission_of(fields: Mapping[str, Any]) -> Submission:
    """The caller's submission that those fields ask for. Raises Invalid naming each at fault."""
    return submission_by_caller(**loaded(_SCHEMA, fields))


def changes_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What a PATCH asks for: those of name, metadata and scheduled_at that are given."""
    return loaded(_CHANGES, fields)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _dry_run(text: str) -> bool | str:
    return text if text == EFFECTS else _flag(text)


def _object(text: str) -> Any:
    flaw = flaw_of(text)
    if flaw is not None:
        raise ValueError(flaw)
    try:
        return loads(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError from error


def _integer(text: str) -> int:
    if not text.lstrip("-").isdecimal() or not text.isascii() or len(text) > 20:
        raise ValueError
    return int(text)


def _number(text: str) -> Decimal:
    number = exact_decimal(text)
    if number is None:
        raise ValueError
    return number


# What reads a field's text in a query, by the field's type, and what it has to be.
_TEXTS: dict[type, tuple[Callable[[str], Any], str]] = {
    ma.fields.Integer: (_integer, "Must be a whole number."),
    Flag: (_flag, "Must be true or false."),
    DryRun: (_dry_run, "Must be true, false or effects."),
    Percent: (_number, "Must be a number."),
    Metadata: (_object, "Must be a JSON object."),
    Nested: (_object, "Must be a JSON object."),
}
