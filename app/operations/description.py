"""An operation as others are told of it, and the stand-in that they make of what they were told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any, NoReturn

import marshmallow
import structlog

from app.core.error_text import text_of
from app.core.jsontext import dumps, loads
from handlers import Operation
from handlers.fields import WholeNumber

log = structlog.get_logger(__name__)

# The fields of an Operation that are published as they are, by their names in the description.
_AS_THEY_ARE = {
    "description": "description",
    "collection": "collection",
    "bulk": "bulk",
    "inDatabase": "in_database",
    "maxAttempts": "max_attempts",
    "timeoutSeconds": "timeout_seconds",
    "concurrency": "concurrency",
    "rateLimit": "rate_limit",
    "queue": "queue",
    "sliceItems": "slice_items",
    "gathers": "gathers",
}


def describe(operation: Operation) -> dict[str, Any]:
    """What others are told, as JSON that Postgres takes."""
    said = {
        **{name: getattr(operation, field) for name, field in _AS_THEY_ARE.items()},
        "key": list(operation.key),
        "breaker": None if operation.breaker is None else asdict(operation.breaker),
        "bases": list(operation.bases),
        "wholeNumberKeys": sorted(operation.whole_number_keys),
        "schema": _item_schema(operation),
    }
    described: dict[str, Any] = loads(_without_nul(dumps(said)))
    return described


def _item_schema(operation: Operation) -> dict[str, Any]:
    # Not with the module: whoever only reads descriptions does without the library.
    from app.operations.jsonschema import item_schema

    try:
        loads(dumps(made := item_schema(operation.schema)))
    except Exception as error:  # what a schema says of itself may be anything, with code of its own
        log.warning("operation.not_described", operation=operation.name, error=text_of(error))
        return {}
    return made


def _without_nul(text: str) -> str:
    return text.replace("\\u0000", "\\ufffd")


def stand_in(name: str, description: Mapping[str, Any] | None) -> Operation | None:
    """An operation that can be planned and whose keys can be read, but not run.

    None where nothing usable was published: another release may say it in another way.
    """
    if description is None:
        return None
    try:
        return Operation(
            name=name,
            handler=_elsewhere,
            schema=_schema(frozenset(description.get("wholeNumberKeys", ()))),
            key=tuple(description.get("key", ())),
            bases=tuple(description.get("bases", ())),
            **{
                field: description[said]
                for said, field in _AS_THEY_ARE.items()
                if said in description
            },
        )
    except (TypeError, ValueError) as error:
        log.warning("operation.not_understood", operation=name, error=str(error))
        return None


def _elsewhere(*_: object) -> NoReturn:
    raise NotImplementedError("only a worker that has the handler can run it")


@cache
def _schema(whole_number_keys: frozenset[str]) -> type[marshmallow.Schema]:
    """A schema that takes anything: only those fields make a difference to the key."""
    meta = type("Meta", (), {"unknown": marshmallow.INCLUDE, "register": False})
    numbers = {name: WholeNumber() for name in whole_number_keys}
    return type("Anything", (marshmallow.Schema,), {"Meta": meta, **numbers})
