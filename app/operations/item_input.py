"""An item's input, read as its operation's schema wants it, or why that cannot be."""

from __future__ import annotations

from typing import Any

import msgspec
from marshmallow import ValidationError

from app.core.error_text import LONGEST_TEXT, text_of
from app.core.jsontext import loads
from handlers import Operation, Registry
from handlers.jsonbounds import refusal_of


class WrongInput(Exception):
    """The item is INVALID; the message names each field at fault."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def read_input(operation: Operation, text: str) -> tuple[dict[str, Any], str | None]:
    """What the operation's schema makes of an item's JSON text, and its key.

    Raises WrongInput, whatever the schema raises: its code may be somebody else's.
    """
    try:
        return operation.load_keyed(loads(text))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise WrongInput(f"Cannot be read: {text_of(error)}") from error
    except BaseException as error:
        raise WrongInput(_why(error)) from error


def check_input(
    registry: Registry, name: str | None, text: str
) -> tuple[Operation, dict[str, Any], str | None]:
    """An item's operation, what its schema makes of it, and its key; `text` as it is stored.

    For whoever has no worker to ask. Raises WrongInput.
    """
    refusal = refusal_of(text)
    if refusal is not None:
        raise WrongInput(refusal)
    operation = registry.get(name)
    if operation is None:
        raise WrongInput(f"Unknown operation {name!r}.")
    return operation, *read_input(operation, text)


def _why(error: BaseException) -> str:
    """What is wrong with an item that its schema did not take."""
    if isinstance(error, ValidationError):
        try:
            return describe(error)
        except BaseException as broken:  # its messages are somebody else's objects
            error = broken
    return f"Cannot be checked: {type(error).__name__}"


def describe(error: ValidationError) -> str:
    """What marshmallow found, in one line, of which no more than LONGEST_TEXT characters are kept.

    Such as `price: Must be a number.; units: Unknown field.` An item may have many more faults than
    fit into as many bytes as it has itself.
    """
    said = "; ".join(_lines(error.normalized_messages(), ""))
    return said if len(said) <= LONGEST_TEXT else f"{said[:LONGEST_TEXT]}…"


def _lines(messages: Any, path: str) -> list[str]:
    if isinstance(messages, dict):
        return [
            line
            for name, inner in messages.items()
            for line in _lines(inner, path if name == "_schema" else f"{path}.{name}".lstrip("."))
        ]
    text_ = " ".join(map(str, messages)) if isinstance(messages, list) else str(messages)
    return [f"{path}: {text_}" if path else text_]
