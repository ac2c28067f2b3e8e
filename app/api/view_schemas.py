"""The marshmallow schemas of what is shown, made from the views that declare it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache, partial
from typing import Any
from uuid import UUID

import marshmallow as ma

from app.batches.fields import (
    FlagOrWord,
    JsonObjectText,
    JsonText,
    ViewField,
    WholeNumbers,
    shown_fields,
)
from app.web.openapi_forms import flag_or_words

_FIELDS: dict[object, Callable[..., ma.fields.Field[Any]]] = {
    bool: ma.fields.Boolean,
    int: ma.fields.Integer,
    float: ma.fields.Float,
    str: ma.fields.String,
    UUID: ma.fields.UUID,
    datetime: ma.fields.DateTime,
    JsonText: ma.fields.Raw,
    FlagOrWord: ma.fields.Raw,
    JsonObjectText: ma.fields.Dict,
    WholeNumbers: partial(ma.fields.List, ma.fields.Integer()),
}


@cache
def view_schema(view: type) -> type[ma.Schema]:
    """The schema of a view: `Item` for ItemView. Every field is always there."""
    fields = {field.json_name: _schema_field(field) for field in shown_fields(view)}
    made: type[ma.Schema] = ma.Schema.from_dict(fields, name=view.__name__.removesuffix("View"))
    return made


def _schema_field(field: ViewField) -> ma.fields.Field[Any]:
    options: dict[str, Any] = {"required": True}
    if field.nullable:
        options["allow_none"] = True
    if field.view is not None:
        if field.declared.description is not None:
            options["metadata"] = {"description": field.declared.description}
        return ma.fields.Nested(view_schema(field.view), **options)
    choices = field.declared.choices
    metadata: dict[str, Any] = {}
    if field.declared.description is not None:
        form = " RFC 3339, UTC." if field.type is datetime else ""
        metadata["description"] = field.declared.description + form
    if field.type is FlagOrWord:
        metadata["oneOf"] = flag_or_words(choices or ())
    elif choices is not None:
        options["validate"] = ma.validate.OneOf(choices)
    if metadata:
        options["metadata"] = metadata
    return _FIELDS[field.type](**options)
