"""What no log line may bear: secrets, and the content of items.

The last step before a line is written, whoever wrote it: ours and the libraries', a traceback's
text too. It goes by what secrets look like, and by the values of this process's own settings. Of
what Postgres says about an error the parts go that quote rows and statements.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

from app.core.visible import visible_lines

GONE = "***"
# Parameters of a URL of Postgres' that are secret.
_PASSWORDS = frozenset({"password", "sslpassword"})
# Shorter values could be words of any sentence.
_SHORTEST = 6

_LOOKS = (
    # user:password@ of a URL. A scheme is short: `a.a.a.` would be looked through from each letter.
    (
        re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@'\"]*):[^\s/@'\"]+@", re.IGNORECASE),
        rf"\1:{GONE}@",
    ),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {GONE}"),
    (
        re.compile(
            r"((?:authorization|secretkey|x-api-key|password|webhook-signature)['\"]?\s*[:=]\s*"
            r"(?:b?['\"])?)(?!Bearer |Basic )[^\s'\",;}\]]+",
            re.IGNORECASE,
        ),
        rf"\1{GONE}",
    ),
    (re.compile(r"\bwhsec_[\w+/=-]+"), f"whsec_{GONE}"),
    (re.compile(r"\bbls_[\w-]{16,}"), f"bls_{GONE}"),
)
# Lines by which Postgres quotes rows, values and statements, with the lines that belong to them.
_QUOTING = re.compile(
    r"^[ \t]*(?:DETAIL|CONTEXT|QUERY|STATEMENT|WHERE|LINE \d+):[^\n]*(?:\n[ \t]*\^)?\n?",
    re.MULTILINE,
)
# To the end of the line: to look for its bracket would take long where there is none.
_PARAMETERS = re.compile(r"\n?\[parameters: [^\n]*")
# `invalid input syntax for type integer: "…"`, `value "…" is out of range`, `"…" is out of range`:
# a value behind a colon, behind that word, or at the beginning.
_VALUE = re.compile(
    r"((?:\(psycopg2\.|psycopg2\.errors\.)[^\n\"]{0,300}?(?:: |\bvalue |\) ))\"[^\n]*\""
)

_LONGEST_PATH = 100

_values: tuple[str, ...] = ()


def keep_out(values: Iterable[str | None]) -> None:
    """From now on let no line of this process bear these: settings that are secret.

    Of a URL its passwords are meant, as they are written there and as they are.
    """
    global _values
    found: set[str] = set()
    for value in values:
        if not value:
            continue
        for written in _passwords(value) if "://" in value else [value]:
            for one in {written, unquote(written)}:
                found.add(one)
                if "://" not in value:  # user:password
                    found.add(one.partition(":")[2])
    _values = tuple(sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True))


def _passwords(url: str) -> list[str]:
    """Before the host's name, and among the parameters, where libpq takes some too."""
    try:
        parts = urlsplit(url)
        given = [parts.password or ""]
    except ValueError:
        return [url]
    for each in parts.query.split("&"):
        name, _, value = each.partition("=")
        if name in _PASSWORDS:
            given.append(value)
    return given


def scrub(text: str) -> str:
    """The text without what no line may bear."""
    for value in _values:
        text = text.replace(value, GONE)
    for look, instead in _LOOKS:
        text = look.sub(instead, text)
    if "psycopg2" in text or ":  " in text:
        text = _VALUE.sub(r'\1"…"', _PARAMETERS.sub("", _QUOTING.sub("", text)))
    return text


def looks_secret(text: str) -> bool:
    """Whether it looks like a secret. By the values of settings nothing is told, to nobody."""
    return any(look.search(text) for look, _ in _LOOKS)


def scrub_entry(
    _logger: Any, _name: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A processor of structlog's: every text of the line, however deep."""
    for name, value in entry.items():
        entry[name] = _scrubbed(value)
    return entry


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {key: _scrubbed(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_scrubbed(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return scrub(str(value))


def keep_to_lines(
    _logger: Any, _name: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A processor for lines that people read: no text of theirs can pass for another line.

    A caller may put a line break, or what has a terminal do things, into whatever is logged of it.
    Values are quoted by the renderer; the message and a traceback are not.
    """
    for name in ("event", "exception", "stack"):
        if isinstance(text := entry.get(name), str):
            entry[name] = visible_lines(text)
    return entry


def beginning_of_path(path: str) -> str:
    """Of a path that nothing is known of no more than may be told: further on may be a key."""
    parts = path.split("/", 3)
    shown = "/".join(parts[:3])[:_LONGEST_PATH]
    return shown if len(parts) <= 3 and len(path) <= _LONGEST_PATH else f"{shown}/…"


def frames_of(error: BaseException) -> str:
    """A traceback without the words of the exception, which may quote anything; nor its cause's."""
    lines: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        lines.insert(0, "".join(traceback.format_tb(current.__traceback__)) + kind_of(current))
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return "Traceback (most recent call last):\n" + "\n\nThen:\n\n".join(lines)


def kind_of(error: BaseException) -> str:
    """The name of the exception's type."""
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
