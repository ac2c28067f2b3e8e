"""Text that somebody else wrote, as it can be shown to people: it does nothing but stand there.

A name, a message or a path may hold what has a terminal move, hide or repeat things, or passes for
a line of its own. Such characters are shown as what they are written like in a program.
"""

from __future__ import annotations

import re

# All control characters, and those that turn the direction of what follows.
_ACTING = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
_IN_LINES = re.compile(f"[{_ACTING}]")
_IN_A_LINE = re.compile(f"[\t\n{_ACTING}]")


def visible(text: str) -> str:
    """The text in one line."""
    return _IN_A_LINE.sub(_written, text)


def visible_lines(text: str) -> str:
    """The text, which may have several lines; those after the first are indented."""
    return _IN_LINES.sub(_written, text).replace("\n", "\n    ")


def visible_json(text: str) -> str:
    """JSON that means the same."""
    return _IN_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _written(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
