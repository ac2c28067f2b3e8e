"""The text of somebody else's objects: exceptions and messages of handlers, which may be anything.

Nothing here raises, whatever `__str__` does, and nothing is endless.
"""

from __future__ import annotations

LONGEST_TEXT = 10_000
"""Characters of a text that is taken over."""


def text_of(value: object) -> str | None:
    """`str(value)`, of it no more than `LONGEST_TEXT` characters; None where it cannot be made."""
    try:
        return str.__str__(str(value)[:LONGEST_TEXT])
    except BaseException:  # `__str__` is somebody else's code
        return None


def attribute_of(value: object, name: str) -> object:
    """The attribute, or None where there is none or it cannot be read."""
    try:
        return getattr(value, name, None)
    except BaseException:  # a property is somebody else's code
        return None


def describe_error(error: BaseException) -> str:
    """An exception in one line: its type, and its text if there is one."""
    name = type(error).__name__
    words = text_of(error)
    text = "its text cannot be made" if words is None else " ".join(words.split())
    return f"{name}: {text}" if text else name


def said_by_postgres(error: object) -> str:
    """A driver's error in one line, without the place in our statement that Postgres points to."""
    told = (text_of(error) or "").split("\nLINE ")[0]
    lines = (" ".join(line.split()).rstrip(".") for line in told.splitlines())
    return "; ".join(filter(None, lines))
