"""Fields of a body that look at how much they were given before they look at each of it.

A text of a megabyte holds hundreds of thousands of values. Loaded one by one, each with an error of
its own, they would cost seconds, and an answer many times as long as what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from app.formats.jsonstream import MOST_MEMBERS
from app.web.problems import MOST_ERRORS

MOST_STATUSES = 100
"""Of a list of them: more than there are, so that one may say some twice."""


class Listed(ma.fields.List[Any]):
    """A list. Its length is checked first, and after `MOST_ERRORS` wrong entries none is read."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise self.make_error("invalid")
        for validator in self.validators:
            if isinstance(validator, ma.validate.Length):
                validator(value)
        found: list[Any] = []
        errors: dict[int, Any] = {}
        for index, entry in enumerate(value):
            try:
                found.append(self.inner.deserialize(entry, **kwargs))
            except ma.ValidationError as error:
                errors[index] = error.messages
                if len(errors) > MOST_ERRORS:
                    break
        if errors:
            raise ma.ValidationError(errors, valid_data=found)
        return found


class Nested(ma.fields.Nested):
    """An object that has a schema, and no more members than a body may have."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, Mapping) and len(value) > MOST_MEMBERS:
            raise ma.ValidationError(f"Must have at most {MOST_MEMBERS:,} members.")
        return super()._deserialize(value, *args, **kwargs)
