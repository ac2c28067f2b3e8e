"""A field that is shown is declared once, in its view; here is what follows from the declaration.

A view (`BatchView`, `Summary`, `ItemView`) is a frozen dataclass. Each of its fields says by
`shown` what SQL reads it and what the OpenAPI document says of it; its type says the rest. The
fields stand in the order in which callers see them, and are called in JSON as in Python, but in
camelCase. From that are made, once, at import:

- the columns of the SQL (`columns_of`, for app/db/statements), and the view of a row (`values_of`);
- the JSON (app/batches/serializers.py) and the rows of CSV (app/batches/export.py);
- the OpenAPI document (app/api/view_schemas.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import Any, NewType, TypeVar, get_args, get_type_hints

from sqlalchemy import RowMapping

View = TypeVar("View")

JsonText = NewType("JsonText", str)
"""Any JSON, as the text that is stored. It is passed on to the letter."""
JsonObjectText = NewType("JsonObjectText", str)
"""The same, where it is always an object."""
FlagOrWord = NewType("FlagOrWord", str)
"""true, false, or one of the field's `choices`; as JSON."""
WholeNumbers = NewType("WholeNumbers", list[int])
"""A list of whole numbers."""

_KEY = "shown"


@dataclasses.dataclass(frozen=True, slots=True)
class Declared:
    """What `shown` says of a field."""

    sql: str | None
    description: str | None
    choices: tuple[str, ...] | None
    visible: bool


@dataclasses.dataclass(frozen=True, slots=True)
class ViewField:
    """A field of a view. `type`: without the None that `nullable` stands for."""

    name: str
    type: Any
    nullable: bool
    declared: Declared

    @property
    def json_name(self) -> str:
        """Its name in JSON and CSV."""
        first, *rest = self.name.split("_")
        return first + "".join(word.capitalize() for word in rest)

    @property
    def view(self) -> type | None:
        """The view that it holds, where it is not a value."""
        inner: type = self.type
        return inner if dataclasses.is_dataclass(inner) else None


def shown(
    description: str | None = None,
    *,
    sql: str | None = None,
    choices: tuple[str, ...] | None = None,
    visible: bool = True,
) -> Mapping[str, Declared]:
    """The metadata of a dataclass field that is shown.

    `description`: for the OpenAPI document. `sql`: the expression that reads it, in the terms of
    the statement that the view's columns go into; None where it is worked out from others.
    `choices`: all that it can be, if few. `visible`: whether callers see it.
    """
    return {_KEY: Declared(sql, description, choices, visible)}


@cache
def fields_of(view: type) -> tuple[ViewField, ...]:
    """The fields of a view, in the order in which they are declared."""
    types = get_type_hints(view)
    return tuple(
        _view_field(field.name, types[field.name], field.metadata[_KEY])
        for field in dataclasses.fields(view)
    )


def shown_fields(view: type) -> tuple[ViewField, ...]:
    """The fields that callers see."""
    return tuple(field for field in fields_of(view) if field.declared.visible)


def columns_of(*views: type, prefix: str = "") -> dict[str, str]:
    """The SQL expressions that read these views, by the names that their columns get.

    `prefix`: what those begin with, for a view whose fields are called as another's.
    """
    return {
        prefix + field.name: field.declared.sql
        for view in views
        for field in fields_of(view)
        if field.declared.sql is not None
    }


def values_of(view: type, row: RowMapping, prefix: str = "") -> dict[str, Any]:
    """The values of a row that was read by `columns_of(view)`, by names of the view's fields."""
    return {name: row[prefix + name] for name in columns_of(view)}


def values_getter(
    view: type[View], conversion: Callable[[ViewField], Callable[[Any], object] | None]
) -> Callable[[View], list[object]]:
    """A function that lists the values of a view's visible fields, in their order.

    `conversion(field)`: the function that converts the field's values, None for none. It is called
    once a field, not once a value, since items come by the million. A value None stays None.
    """
    fields = shown_fields(view)
    get = attrgetter(*(field.name for field in fields))
    conversions = [
        (position, convert)
        for position, field in enumerate(fields)
        if (convert := conversion(field)) is not None
    ]

    def values_of_view(it: View) -> list[object]:
        values = [*get(it)]
        for position, convert in conversions:
            if (value := values[position]) is not None:
                values[position] = convert(value)
        return values

    return values_of_view


def _view_field(name: str, type_: Any, declared: Declared) -> ViewField:
    """The field of that type, which may be `X | None`."""
    inner = [kind for kind in get_args(type_) if kind is not NoneType] or [type_]
    return ViewField(name, inner[0], NoneType in get_args(type_), declared)
