"""Items made up for an operation, to be filled in by somebody: they are as its schema wants them.

The values are guessed by the JSON Schema, and where the process has the operation itself, its own
schema is asked, and of each field that it does not take the next guess is tried.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from typing import Any

import marshmallow

from app.console.pages.submit.offered import Offer, is_scalar, types_of
from app.core.jsontext import dumps, loads
from handlers import Operation

ROWS = 2
_MOST_TRIES = 40
_TEXTS = (
    "example-{n}",
    "EX{n}",
    "US",
    "EUR",
    "DE",
    "A",
    "ABCD",
    "{n}",
    "2026-01-0{n}",
    "/path/{n}",
    "https://example.com/{n}",
    "somebody{n}@example.com",
    "00000000-0000-4000-8000-00000000000{n}",
    "example {n} " + "x" * 20,
    "true",
)
_FORMATS: Mapping[str, tuple[str, ...]] = {
    "date-time": ("2026-01-0{d}T08:00:00Z",),
    "date": ("2026-01-0{d}",),
    "time": ("08:0{d}:00",),
    "email": ("somebody{n}@example.com",),
    "uri": ("https://example.com/{n}",),
    "url": ("https://example.com/{n}",),
    "uuid": ("00000000-0000-4000-8000-00000000000{n}",),
}
_NUMBERS = (1, 10, 0, 2, 5, 100, 0.5, 1000, -1)


def template(offer: Offer, operation: Operation | None, kind: str) -> bytes:
    """A file of `kind` ("csv", "ndjson") with `ROWS` such items.

    `operation`: the process's own, None where only others have it.
    """
    tabular = kind == "csv"
    rows = [example(offer, operation, number, tabular=tabular) for number in range(1, ROWS + 1)]
    if not tabular:
        return "".join(f"{dumps(row)}\n" for row in rows).encode()
    text, names = io.StringIO(), list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([row.get(name, "") for name in names] for row in rows)
    return text.getvalue().encode()


def example(
    offer: Offer, operation: Operation | None, number: int, *, tabular: bool
) -> dict[str, Any]:
    """One item, other for each `number` from 1 on. `tabular`: of texts alone, as CSV has them."""
    guesses: dict[str, list[Any]] = {}
    for place, (name, schema) in enumerate(offer.properties.items(), 1):
        if tabular and not is_scalar(schema):
            continue
        found = _fitting(schema, number, place)
        guesses[name] = [_cell(each) for each in found] if tabular else found
    chosen = dict.fromkeys(guesses, 0)
    for _ in range(_MOST_TRIES if operation is not None else 0):
        wrong = _wrong(operation, _made(guesses, chosen)) & chosen.keys()
        if not wrong:
            break
        for name in wrong:
            chosen[name] += 1
            if chosen[name] >= len(guesses[name]):
                # It can be left out, or nobody knows what it may be.
                del chosen[name]
    return _made(guesses, chosen)


def _made(guesses: Mapping[str, list[Any]], chosen: Mapping[str, int]) -> dict[str, Any]:
    """An empty cell is a field left out."""
    found = {name: guesses[name][place] for name, place in chosen.items() if guesses[name]}
    return {name: value for name, value in found.items() if value != ""}


def _wrong(operation: Operation | None, item: Mapping[str, Any]) -> set[str]:
    """The fields that the operation's schema does not take; its code may be somebody else's."""
    if operation is None:
        return set()
    try:
        operation.load_keyed(loads(dumps(item)))
    except marshmallow.ValidationError as error:
        with suppress(Exception):
            return {str(name) for name in error.normalized_messages()}
    except Exception:  # whatever it raises, no guess of ours is better than another
        return set()
    return set()


def _fitting(schema: Mapping[str, Any], number: int, place: int) -> list[Any]:
    """The guesses at a value, best first."""
    # What may be nothing often points at another item: the first has none, the next the one before.
    may_be_nothing = "null" in types_of(schema)
    if may_be_nothing and number == 1:
        return [None]
    found = list(islice(_guesses(schema, number - may_be_nothing, place), 60))
    unique = {dumps(each): each for each in found}
    return list(unique.values())


def _guesses(schema: Mapping[str, Any], number: int, place: int) -> Iterator[Any]:
    for said in ("example", "const", "default"):
        if schema.get(said) is not None:
            yield schema[said]
    for said in ("examples", "enum"):
        yield from schema.get(said) or ()
    types = types_of(schema)
    # Of a code that may be a number, too, text is the better guess.
    if {"number", "integer"} & set(types) and ("pattern" in schema or "string" not in types):
        yield from _numbers(schema, whole="number" not in types)
    elif "boolean" in types:
        yield from (True, False)
    elif "array" in types:
        inner = schema.get("items")
        yield [next(_guesses(inner, number, place), None)] if isinstance(inner, Mapping) else []
    elif "object" in types:
        yield _object(schema, number)
    elif "string" in types or not types:
        yield from _texts(schema, number, place)
    if "null" in types:
        yield None


def _numbers(schema: Mapping[str, Any], *, whole: bool) -> Iterator[int | float]:
    low, high = schema.get("minimum"), schema.get("maximum")
    for each in (*_NUMBERS, low, high):
        if not isinstance(each, int | float) or (whole and each != int(each)):
            continue
        below = isinstance(low, int | float) and each < low
        above = isinstance(high, int | float) and each > high
        if not below and not above:
            yield each


def _texts(schema: Mapping[str, Any], number: int, place: int) -> Iterator[str]:
    texts = (*_FORMATS.get(str(schema.get("format")), ()), *_TEXTS)
    shortest, longest = schema.get("minLength") or 0, schema.get("maxLength")
    pattern = _compiled(schema.get("pattern"))
    for each in texts:
        # Of several times the later field has the later one.
        text = each.format(n=number, d=min(9, place))
        fits = len(text) >= shortest and (longest is None or len(text) <= longest)
        if fits and (pattern is None or pattern.search(text)):
            yield text
    if shortest:
        yield "x" * min(int(shortest), 10_000)


@lru_cache(maxsize=256)
def _compiled(pattern: object) -> re.Pattern[str] | None:
    if not isinstance(pattern, str):
        return None
    with suppress(re.error):
        return re.compile(pattern)
    return None


def _object(schema: Mapping[str, Any], number: int) -> dict[str, Any]:
    properties = schema.get("properties")
    required = set(schema.get("required") or ())
    if not isinstance(properties, Mapping):
        return {}
    return {
        name: next(_guesses(inner, number, place), None)
        for place, (name, inner) in enumerate(properties.items(), 1)
        if name in required and isinstance(inner, Mapping)
    }


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
